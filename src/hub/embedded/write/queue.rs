//! What is on its way to the writer: in order, and only so much of it.
//!
//! The one who takes is woken when the lock has been let go of. A channel of the standard library wakes it under a lock
//! that it needs before it waits again; on few cores it then runs into that lock at once, which costs two more switches
//! of threads for each command.

use std::collections::VecDeque;
use std::thread::Thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::Notify;

/// A bounded queue with many who send and one who takes.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    inner: Mutex<Inner<T>>,
    capacity: usize,
    /// Tells threads that there is room, or that it is closed.
    room: Condvar,
    /// Tells tasks the same.
    room_for_tasks: Notify,
}

#[derive(Debug)]
struct Inner<T> {
    waiting: VecDeque<T>,
    /// Who takes, while it sleeps.
    asleep: Option<Thread>,
    /// Threads that wait for room.
    blocked: usize,
    is_closed: bool,
}

/// Why nothing could be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused<T> {
    /// There is no room; here it is again.
    Full(T),
    /// Nobody takes any more.
    Closed,
}

/// Closes a queue when it is dropped, however that comes.
pub(super) struct Closes<'a, T>(pub(super) &'a Queue<T>);

impl<T> Drop for Closes<'_, T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<T> Queue<T> {
    /// A queue in which `capacity` may wait.
    pub(crate) fn new(capacity: usize) -> Self {
        let waiting = VecDeque::with_capacity(capacity);
        let inner = Inner { waiting, asleep: None, blocked: 0, is_closed: false };
        let (room, room_for_tasks) = (Condvar::new(), Notify::new());
        Self { inner: Mutex::new(inner), capacity, room, room_for_tasks }
    }

    fn inner(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock()
    }

    /// Sends; blocks while there is no room.
    ///
    /// # Errors
    /// [`Refused::Closed`].
    pub(crate) fn send(&self, item: T) -> Result<(), Refused<T>> {
        let mut inner = self.inner();
        while inner.waiting.len() >= self.capacity && !inner.is_closed {
            inner.blocked += 1;
            self.room.wait(&mut inner);
            inner.blocked -= 1;
        }
        self.push(inner, item)
    }

    /// Sends if there is room.
    ///
    /// # Errors
    /// [`Refused`].
    pub(crate) fn try_send(&self, item: T) -> Result<(), Refused<T>> {
        self.push(self.inner(), item)
    }

    /// Sends from a task; waits while there is no room. Cancel safe: then it is not sent.
    ///
    /// # Errors
    /// [`Refused::Closed`].
    pub(crate) async fn send_from_task(&self, mut item: T) -> Result<(), Refused<T>> {
        loop {
            // What is taken from now on is not missed.
            let taken = self.room_for_tasks.notified();
            item = match self.try_send(item) {
                Err(Refused::Full(item)) => item,
                done => return done,
            };
            taken.await;
        }
    }

    fn push(&self, mut inner: MutexGuard<'_, Inner<T>>, item: T) -> Result<(), Refused<T>> {
        if inner.is_closed {
            return Err(Refused::Closed);
        }
        if inner.waiting.len() >= self.capacity {
            return Err(Refused::Full(item));
        }
        inner.waiting.push_back(item);
        let asleep = inner.asleep.take();
        drop(inner);
        if let Some(asleep) = asleep {
            asleep.unpark();
        }
        Ok(())
    }

    /// Takes the first; sleeps for at most `wait` when there is none. May give nothing sooner than that.
    pub(super) fn take(&self, wait: Duration) -> Option<T> {
        if let Some(item) = self.pop(true) {
            return Some(item);
        }
        std::thread::park_timeout(wait);
        self.pop(false)
    }

    /// Takes the first, if there is one.
    pub(crate) fn try_take(&self) -> Option<T> {
        self.pop(false)
    }

    fn pop(&self, will_sleep: bool) -> Option<T> {
        let mut inner = self.inner();
        let item = inner.waiting.pop_front();
        let sleeps = will_sleep && item.is_none();
        inner.asleep = sleeps.then(std::thread::current);
        let is_blocked = inner.blocked > 0 && item.is_some();
        drop(inner);
        if is_blocked {
            self.room.notify_one();
        }
        if item.is_some() {
            self.room_for_tasks.notify_waiters();
        }
        item
    }

    /// Refuses all that comes from now on, and drops what waits.
    fn close(&self) {
        let mut inner = self.inner();
        inner.is_closed = true;
        let left = std::mem::take(&mut inner.waiting);
        drop(inner);
        self.room.notify_all();
        self.room_for_tasks.notify_waiters();
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A test that waits for so long hangs.
    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn keeps_the_order_and_the_bound() {
        let queue = Queue::new(2);
        assert_eq!(queue.try_take(), None);
        queue.try_send(1).unwrap();
        queue.try_send(2).unwrap();
        assert_eq!(queue.try_send(3), Err(Refused::Full(3)));
        assert_eq!(queue.take(LONG), Some(1));
        queue.try_send(3).unwrap();
        assert_eq!((queue.try_take(), queue.take(LONG)), (Some(2), Some(3)));
        assert_eq!(queue.take(Duration::ZERO), None);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_lost_between_many_threads_and_tasks() {
        const EACH: u32 = 2000;
        let queue = Arc::new(Queue::new(3));
        let taker = Arc::clone(&queue);
        let taking = std::thread::spawn(move || {
            let mut taken: [Vec<u32>; 4] = Default::default();
            while taken.iter().map(Vec::len).sum::<usize>() < 4 * EACH as usize {
                let Some((from, number)) = taker.take(LONG) else { continue };
                let from: &mut Vec<u32> = &mut taken[from];
                from.push(number);
            }
            taken
        });
        let mut tasks = tokio::task::JoinSet::new();
        for from in 0..2 {
            let queue = Arc::clone(&queue);
            tasks.spawn(async move {
                for number in 0..EACH {
                    queue.send_from_task((from, number)).await.unwrap();
                }
            });
        }
        for from in 2..4 {
            let queue = Arc::clone(&queue);
            tasks.spawn_blocking(move || {
                (0..EACH).for_each(|number| queue.send((from, number)).unwrap());
            });
        }
        tasks.join_all().await;
        for taken in taking.join().unwrap() {
            assert!(taken.iter().copied().eq(0..EACH), "{} came", taken.len());
        }
    }

    #[tokio::test]
    async fn who_waits_for_room_hears_that_it_is_closed() {
        let queue = Arc::new(Queue::new(1));
        let (sent, dropped) = tokio::sync::oneshot::channel::<()>();
        queue.try_send(Some(sent)).unwrap();
        let blocked = Arc::clone(&queue);
        let thread = std::thread::spawn(move || blocked.send(None));
        let (task, ()) = tokio::join!(queue.send_from_task(None), async {
            while queue.inner().blocked == 0 {
                tokio::task::yield_now().await;
            }
            drop(Closes(&queue));
        });
        assert!(matches!(task, Err(Refused::Closed)), "{task:?}");
        assert!(matches!(thread.join().unwrap(), Err(Refused::Closed)));
        assert!(matches!(queue.try_send(None), Err(Refused::Closed)));
        dropped.await.unwrap_err();
    }
}
