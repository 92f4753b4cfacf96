//! A small thread pool for many very short parallel sections: workers spin briefly between sections and then sleep.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Maximum number of threads of a pool.
pub const THREADS_MAX: usize = 64;

/// How often an idle worker looks for work before it sleeps; a few tens of microseconds.
const SPINS: u32 = 4_000;

/// A section of work as workers see it: a function of the task number, shared by all.
#[derive(Clone, Copy)]
struct Job(*const (dyn Fn(usize) + Sync));

// SAFETY: the pointer is only followed between the start and the end of `ThreadPool::run`, which keeps the closure alive
// until every worker has left it, and the closure is `Sync`.
unsafe impl Send for Job {}

struct Shared {
    /// Counts sections; workers compare it with the last one they served.
    generation: AtomicUsize,
    /// The next task to be taken, and how many there are.
    next: AtomicUsize,
    tasks: AtomicUsize,
    /// Workers that have not left the current section yet.
    busy: AtomicUsize,
    failed: AtomicBool,
    stop: AtomicBool,
    job: Mutex<Option<Job>>,
    wake: Condvar,
}

/// Threads that compute one parallel section after another. The caller of [`ThreadPool::run`] is one of them.
pub struct ThreadPool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held while a section runs: sections of two callers do not mix.
    section: Mutex<()>,
}

impl ThreadPool {
    /// A pool of `threads` threads including the caller; clamped to 1 ..= [`THREADS_MAX`].
    ///
    /// # Errors
    /// The system's reason if a thread cannot be started.
    pub fn new(threads: usize) -> std::io::Result<ThreadPool> {
        let shared = Arc::new(Shared {
            generation: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            tasks: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            job: Mutex::new(None),
            wake: Condvar::new(),
        });
        let mut pool = ThreadPool {
            shared,
            workers: Vec::new(),
            section: Mutex::new(()),
        };
        for index in 1..threads.clamp(1, THREADS_MAX) {
            let shared = pool.shared.clone();
            let builder = std::thread::Builder::new().name(format!("whimbrel-compute-{index}"));
            pool.workers.push(builder.spawn(move || work(&shared))?);
        }
        Ok(pool)
    }

    /// The number of threads, including the caller.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `task` once for every number below `tasks`, on all threads, and returns when all calls have returned.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    /// use whimbrel_kernels::ThreadPool;
    ///
    /// let sum = AtomicUsize::new(0);
    /// ThreadPool::new(2)?.run(5, &|task| {
    ///     sum.fetch_add(task, Ordering::Relaxed);
    /// });
    /// assert_eq!(sum.into_inner(), 10);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    /// If a task panicked.
    pub fn run(&self, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
        if self.workers.is_empty() || tasks < 2 {
            (0..tasks).for_each(task);
            return;
        }
        let _section = lock(&self.section);
        let shared = &*self.shared;
        // SAFETY: only the lifetime is changed; this function does not return, nor unwind, before `busy` is 0 again.
        let job = Job(unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), *const (dyn Fn(usize) + Sync)>(task) });
        {
            let mut slot = lock(&shared.job);
            *slot = Some(job);
            shared.next.store(0, Ordering::Relaxed);
            shared.tasks.store(tasks, Ordering::Relaxed);
            shared.failed.store(false, Ordering::Relaxed);
            shared.busy.store(self.workers.len(), Ordering::Relaxed);
            shared.generation.fetch_add(1, Ordering::Release);
        }
        shared.wake.notify_all();
        take_tasks(shared, task);
        let mut spins = 0u32;
        while shared.busy.load(Ordering::Acquire) > 0 {
            spins += 1;
            if spins.is_multiple_of(1 << 10) {
                std::thread::yield_now()
            } else {
                std::hint::spin_loop()
            }
        }
        assert!(
            !shared.failed.load(Ordering::Relaxed),
            "a task of a parallel section panicked"
        );
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        {
            let _slot = lock(&self.shared.job);
            self.shared.stop.store(true, Ordering::Relaxed);
            self.shared.generation.fetch_add(1, Ordering::Release);
        }
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
    }
}

impl std::fmt::Debug for ThreadPool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ThreadPool({} threads)", self.threads())
    }
}

/// A panic never leaves shared state half-changed here, so a poisoned lock is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes tasks until none is left. A panic is noted and kept inside, so that the section always ends.
fn take_tasks(shared: &Shared, task: &(dyn Fn(usize) + Sync)) {
    let tasks = shared.tasks.load(Ordering::Relaxed);
    let all = std::panic::AssertUnwindSafe(|| {
        loop {
            let index = shared.next.fetch_add(1, Ordering::Relaxed);
            if index >= tasks {
                break;
            }
            task(index);
        }
    });
    if std::panic::catch_unwind(all).is_err() {
        shared.failed.store(true, Ordering::Relaxed);
    }
}

fn work(shared: &Shared) {
    let mut served = 0;
    loop {
        let mut spins = 0;
        while shared.generation.load(Ordering::Acquire) == served && spins < SPINS {
            spins += 1;
            std::hint::spin_loop();
        }
        let mut slot = lock(&shared.job);
        while shared.generation.load(Ordering::Acquire) == served {
            slot = shared.wake.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
        served = shared.generation.load(Ordering::Acquire);
        let job = *slot;
        drop(slot);
        if shared.stop.load(Ordering::Relaxed) {
            return;
        }
        if let Some(job) = job {
            // SAFETY: `ThreadPool::run` waits for `busy`, which this worker lowers only after it has left the closure.
            take_tasks(shared, unsafe { &*job.0 });
            shared.busy.fetch_sub(1, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Miri runs each section many times slower, and with schedules that differ more.
    const SECTIONS: usize = if cfg!(miri) { 3 } else { 50 };

    #[test]
    fn every_task_runs_once_in_every_section() {
        for threads in [1, 2, 3, 8] {
            let pool = ThreadPool::new(threads).expect("threads can be started");
            assert_eq!(pool.threads(), threads);
            for tasks in [0, 1, 2, 7, 100] {
                for _ in 0..SECTIONS {
                    let counts: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                    pool.run(tasks, &|index| {
                        counts[index].fetch_add(1, Ordering::Relaxed);
                    });
                    assert!(
                        counts.iter().all(|count| count.load(Ordering::Relaxed) == 1),
                        "{threads} {tasks}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_panic_in_a_task_reaches_the_caller_and_leaves_the_pool_usable() {
        let pool = ThreadPool::new(2).expect("threads can be started");
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            pool.run(8, &|index| assert_ne!(index, 3));
        }));
        assert!(panicked.is_err());
        let sum = AtomicUsize::new(0);
        pool.run(10, &|index| {
            sum.fetch_add(index, Ordering::Relaxed);
        });
        assert_eq!(sum.load(Ordering::Relaxed), 45);
    }

    #[test]
    fn two_callers_do_not_mix() {
        let pool = ThreadPool::new(3).expect("threads can be started");
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..4 * SECTIONS {
                        let sum = AtomicUsize::new(0);
                        pool.run(20, &|index| {
                            sum.fetch_add(index, Ordering::Relaxed);
                        });
                        assert_eq!(sum.load(Ordering::Relaxed), 190);
                    }
                });
            }
        });
    }
}
