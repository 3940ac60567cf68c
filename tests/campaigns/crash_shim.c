/* Counts a process's calls that change files below one folder, and disturbs the n-th: see crash.py.
 *
 * Preloaded by LD_PRELOAD. The counter lies in a shared file, so that the calls of a process and of those that it
 * starts are one sequence. A process gets the file by crash_arm() or, when it starts, from CRASH_SHIM_CONTROL.
 *
 * Counted are: opening for writing, write and its kin, truncate, rename, link, unlink, mkdir, rmdir, fsync, chmod.
 * Not counted is close: a kill there is the kill at the next call. What C's stdio writes is not seen, only its fopen;
 * Python and C++ streams call write. */
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WATCH, KILL, TORN, EIO_ONCE, FULL, READ_ONLY }; /* as MODES in crash_points.py */
enum { CALL_BYTES = 240, MOST_CALLS = 20000 };

struct control { /* as HEADER in crash_points.py */
    int calls;   /* counted so far */
    int target;  /* the call to disturb, from 1 */
    int mode;
    int fired;   /* the process that was disturbed, 0 before */
    char folder[PATH_MAX];
    char log[MOST_CALLS][CALL_BYTES]; /* "write out/train.txt", "rename out/train.txt <- out/.train.txt.new" */
};

static struct control *control;

#define REAL(name) ({ static __typeof__(&name) real; if (!real) real = dlsym(RTLD_NEXT, #name); real; })

int crash_arm(const char *path) {
    int fd = REAL(openat64)(AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return -1;
    void *map = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED) return -1;
    control = map;
    return 0;
}

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("CRASH_SHIM_CONTROL");
    if (path) crash_arm(path);
}

/* The absolute path of `path` seen from the folder `dir`, or of the open file `dir` where path is NULL. */
static int absolute(int dir, const char *path, char *full) {
    size_t used = 0;
    if (path && path[0] == '/') return snprintf(full, PATH_MAX, "%s", path) < PATH_MAX;
    if (dir == AT_FDCWD) {
        if (!getcwd(full, PATH_MAX)) return 0;
        used = strlen(full);
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        ssize_t length = readlink(link, full, PATH_MAX - 1);
        if (length < 0) return 0;
        used = (size_t)length;
        full[used] = 0;
    }
    return !path || snprintf(full + used, PATH_MAX - used, "/%s", path) < (int)(PATH_MAX - used);
}

static void killed(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Where the path goes on below the folder that counts; NULL if it is elsewhere. */
static const char *below(const char *full) {
    size_t length = strlen(control->folder);
    return strncmp(full, control->folder, length) || full[length] != '/' ? NULL : full + length + 1;
}

/* Counts a call. Returns 0 if it is to be made, else the error it ends with; -1: a write of which half is made. */
static int disturbed_from(const char *name, int dir, const char *path, int from_dir, const char *from,
                          int takes_space, int writes) {
    char full[PATH_MAX], full_from[PATH_MAX] = "";
    int kept = errno, result = 0;
    const char *shown = NULL, *shown_from = NULL;
    if (control && absolute(dir, path, full)) shown = below(full);
    if (!shown) { errno = kept; return 0; }
    if (from && absolute(from_dir, from, full_from)) shown_from = below(full_from);
    int n = __atomic_add_fetch(&control->calls, 1, __ATOMIC_SEQ_CST);
    if (n <= MOST_CALLS)
        snprintf(control->log[n - 1], CALL_BYTES, "%s %s%s%s", name, shown, shown_from ? " <- " : "",
                 shown_from ? shown_from : "");
    int mode = control->mode;
    if (n == control->target && mode != WATCH && (mode != TORN || writes)) {
        control->fired = getpid();
        if (mode == KILL) killed();
        result = mode == EIO_ONCE ? EIO : mode == READ_ONLY ? EROFS : writes ? -1 : ENOSPC;
    } else if (control->fired && mode == FULL && takes_space) {
        result = ENOSPC; /* a full disk stays full */
    } else if (control->fired && mode == READ_ONLY) {
        result = EROFS;
    }
    errno = kept;
    return result;
}

static int disturbed(const char *name, int dir, const char *path, int takes_space, int writes) {
    return disturbed_from(name, dir, path, 0, NULL, takes_space, writes);
}

static void half_done(void) {
    if (control->mode == TORN) killed();
}

#define FAIL_IF(name, dir, path, space) \
    do { int fault = disturbed(name, dir, path, space, 0); if (fault) { errno = fault; return -1; } } while (0)

/* ---- opening ---- */

static int creates(int dir, const char *path, int flags) {
    int kept = errno, missing = (flags & O_CREAT) && faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW);
    errno = kept;
    return missing || (flags & O_TMPFILE) == O_TMPFILE;
}

static int opened(int dir, const char *path, int flags, mode_t mode) {
    if ((flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC))
        FAIL_IF(flags & O_TRUNC ? "open-truncating" : "open", dir, path, creates(dir, path, flags));
    return REAL(openat64)(dir, path, flags, mode);
}

#define MODE_OF(flags) \
    mode_t mode = 0; \
    if ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE) { \
        va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); \
    }

int open(const char *path, int flags, ...) { MODE_OF(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE_OF(flags) return opened(AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE_OF(flags) return opened(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE_OF(flags) return opened(dir, path, flags, mode); }
int __open_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __openat_2(int dir, const char *path, int flags) { return opened(dir, path, flags, 0); }
int __openat64_2(int dir, const char *path, int flags) { return opened(dir, path, flags, 0); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

static int stream_fault(const char *path, const char *how) {
    int flags = *how == 'w' ? O_CREAT | O_TRUNC : *how == 'a' ? O_CREAT : 0;
    if (!flags && !strchr(how, '+')) return 0;
    return disturbed(flags & O_TRUNC ? "open-truncating" : "open", AT_FDCWD, path, creates(AT_FDCWD, path, flags), 0);
}

FILE *fopen(const char *path, const char *how) {
    int fault = stream_fault(path, how);
    if (fault) { errno = fault; return NULL; }
    return REAL(fopen)(path, how);
}

FILE *fopen64(const char *path, const char *how) {
    int fault = stream_fault(path, how);
    if (fault) { errno = fault; return NULL; }
    return REAL(fopen64)(path, how);
}

/* ---- writing ---- */

/* `half` writes the first half and gives its length, `whole` all of it. */
#define WRITE(name, fd, half, whole) \
    do { \
        int fault = disturbed(name, fd, NULL, 1, 1); \
        if (fault > 0) { errno = fault; return -1; } \
        if (fault < 0) { ssize_t done = half; half_done(); if (done > 0) return done; errno = ENOSPC; return -1; } \
        return whole; \
    } while (0)

ssize_t write(int fd, const void *data, size_t n) {
    WRITE("write", fd, n > 1 ? REAL(write)(fd, data, n / 2) : 0, REAL(write)(fd, data, n));
}
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
    WRITE("write", fd, n > 1 ? REAL(pwrite)(fd, data, n / 2, at) : 0, REAL(pwrite)(fd, data, n, at));
}
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
    WRITE("write", fd, n > 1 ? REAL(pwrite64)(fd, data, n / 2, at) : 0, REAL(pwrite64)(fd, data, n, at));
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    WRITE("write", fd, count && parts->iov_len > 1 ? REAL(write)(fd, parts->iov_base, parts->iov_len / 2) : 0,
          REAL(writev)(fd, parts, count));
}
ssize_t sendfile(int to, int from, off_t *at, size_t n) {
    WRITE("write", to, n > 1 ? REAL(sendfile)(to, from, at, n / 2) : 0, REAL(sendfile)(to, from, at, n));
}
ssize_t sendfile64(int to, int from, off64_t *at, size_t n) {
    WRITE("write", to, n > 1 ? REAL(sendfile64)(to, from, at, n / 2) : 0, REAL(sendfile64)(to, from, at, n));
}
ssize_t copy_file_range(int from, off64_t *read_at, int to, off64_t *at, size_t n, unsigned flags) {
    WRITE("write", to, n > 1 ? REAL(copy_file_range)(from, read_at, to, at, n / 2, flags) : 0,
          REAL(copy_file_range)(from, read_at, to, at, n, flags));
}

static int grows(int fd, off64_t size) {
    struct stat64 status;
    int kept = errno, larger = !fstat64(fd, &status) && size > status.st_size;
    errno = kept;
    return larger;
}

int ftruncate(int fd, off_t size) {
    FAIL_IF("truncate", fd, NULL, grows(fd, size));
    return REAL(ftruncate)(fd, size);
}
int ftruncate64(int fd, off64_t size) {
    FAIL_IF("truncate", fd, NULL, grows(fd, size));
    return REAL(ftruncate64)(fd, size);
}
int truncate(const char *path, off_t size) {
    FAIL_IF("truncate", AT_FDCWD, path, 0);
    return REAL(truncate)(path, size);
}
int truncate64(const char *path, off64_t size) {
    FAIL_IF("truncate", AT_FDCWD, path, 0);
    return REAL(truncate64)(path, size);
}
int fsync(int fd) { FAIL_IF("fsync", fd, NULL, 0); return REAL(fsync)(fd); }
int fdatasync(int fd) { FAIL_IF("fsync", fd, NULL, 0); return REAL(fdatasync)(fd); }
int chmod(const char *path, mode_t mode) { FAIL_IF("chmod", AT_FDCWD, path, 0); return REAL(chmod)(path, mode); }
int fchmod(int fd, mode_t mode) { FAIL_IF("chmod", fd, NULL, 0); return REAL(fchmod)(fd, mode); }
int fchmodat(int dir, const char *path, mode_t mode, int flags) {
    FAIL_IF("chmod", dir, path, 0);
    return REAL(fchmodat)(dir, path, mode, flags);
}

/* ---- names ---- */

static int renamed(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    return disturbed_from(flags & RENAME_EXCHANGE ? "exchange" : "rename", to_dir, to, from_dir, from, 0, 0);
}

int rename(const char *from, const char *to) {
    int fault = renamed(AT_FDCWD, from, AT_FDCWD, to, 0);
    if (fault) { errno = fault; return -1; }
    return REAL(rename)(from, to);
}
int renameat(int from_dir, const char *from, int to_dir, const char *to) {
    int fault = renamed(from_dir, from, to_dir, to, 0);
    if (fault) { errno = fault; return -1; }
    return REAL(renameat)(from_dir, from, to_dir, to);
}
int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    int fault = renamed(from_dir, from, to_dir, to, flags);
    if (fault) { errno = fault; return -1; }
    return REAL(renameat2)(from_dir, from, to_dir, to, flags);
}
int link(const char *from, const char *to) {
    FAIL_IF("link", AT_FDCWD, to, 1);
    return REAL(link)(from, to);
}
int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
    FAIL_IF("link", to_dir, to, 1);
    return REAL(linkat)(from_dir, from, to_dir, to, flags);
}
int symlink(const char *target, const char *path) {
    FAIL_IF("link", AT_FDCWD, path, 1);
    return REAL(symlink)(target, path);
}
int symlinkat(const char *target, int dir, const char *path) {
    FAIL_IF("link", dir, path, 1);
    return REAL(symlinkat)(target, dir, path);
}
int unlink(const char *path) { FAIL_IF("unlink", AT_FDCWD, path, 0); return REAL(unlink)(path); }
int unlinkat(int dir, const char *path, int flags) {
    FAIL_IF(flags & AT_REMOVEDIR ? "rmdir" : "unlink", dir, path, 0);
    return REAL(unlinkat)(dir, path, flags);
}
int remove(const char *path) { FAIL_IF("unlink", AT_FDCWD, path, 0); return REAL(remove)(path); }
int rmdir(const char *path) { FAIL_IF("rmdir", AT_FDCWD, path, 0); return REAL(rmdir)(path); }
int mkdir(const char *path, mode_t mode) { FAIL_IF("mkdir", AT_FDCWD, path, 1); return REAL(mkdir)(path, mode); }
int mkdirat(int dir, const char *path, mode_t mode) {
    FAIL_IF("mkdir", dir, path, 1);
    return REAL(mkdirat)(dir, path, mode);
}

long syscall(long number, ...) { /* Python code reaches renameat2 by it where the C library lacks the function */
    long a[6];
    va_list more;
    va_start(more, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(more, long);
    va_end(more);
    if (number == SYS_renameat2) {
        int fault = renamed((int)a[0], (const char *)a[1], (int)a[2], (const char *)a[3], (unsigned)a[4]);
        if (fault) { errno = fault; return -1; }
    }
    return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
