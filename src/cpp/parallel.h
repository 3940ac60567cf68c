// A loop over indices, shared by some threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace scenetext {

/// Calls function(worker, index) once for every index below `count`, `workers` at a time, in rising order.
///
/// Args:
///     workers: at least 1; `worker` is below it, and no two calls at the same time have the same one.
///
/// Throws: the first exception of a call, after all threads have ended; indices not begun by then are left out.
template <typename Function>
void parallel_for(std::size_t count, std::size_t workers, Function&& function) {
    std::atomic<std::size_t> next{0};
    std::exception_ptr failure;
    std::mutex failure_lock;
    const auto work = [&](std::size_t worker) {
        try {
            for (std::size_t index = next++; index < count; index = next++) {
                function(worker, index);
            }
        } catch (...) {
            next = count;
            const std::lock_guard guard(failure_lock);
            if (!failure) {
                failure = std::current_exception();
            }
        }
    };
    {
        std::vector<std::jthread> threads;
        for (std::size_t worker = 1; worker < std::min(workers, count); ++worker) {
            threads.emplace_back(work, worker);
        }
        work(0);
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
}

}  // namespace scenetext
