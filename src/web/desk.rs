//! Where answers are made that are work: beside the runtime, a few at a time.
//!
//! A page over 100,000 resources keeps a processor busy for a good part of a second. On the threads that carry
//! polling and scrapes, a few people who reload it would hold those up; on threads of their own without a limit they
//! would take every processor. Knows nothing of what is made.

use std::panic::resume_unwind;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task;

/// So many answers are made at once; who comes then waits for a turn. How many may wait is up to `waiting`.
const PLACES: usize = 2;

/// Gives out places to work at. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Desk(Arc<Semaphore>);

impl Default for Desk {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(PLACES)))
    }
}

impl Desk {
    /// Has `work` done, in its turn. Whoever goes away before that leaves the queue; work that was begun keeps its
    /// place to its end, asked for or not.
    pub(super) async fn make<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let place = Arc::clone(&self.0).acquire_owned().await.expect("a desk is never closed");
        let done = task::spawn_blocking(move || {
            let made = work();
            drop(place);
            made
        });
        // A panic goes on to where those of all answers end. It cannot be anything else before the runtime ends.
        done.await.unwrap_or_else(|defect| {
            resume_unwind(defect.try_into_panic().unwrap_or_else(|ended| Box::new(ended)))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, mpsc};
    use std::time::Duration;

    use tokio::task::JoinSet;
    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test]
    async fn so_many_answers_are_made_at_once_and_the_runtime_goes_on() {
        let (desk, begun) = (Desk::default(), Arc::new(AtomicUsize::new(0)));
        let (open, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let mut answers = JoinSet::new();
        for number in 0..5 {
            let (desk, begun, gate) = (desk.clone(), Arc::clone(&begun), Arc::clone(&gate));
            let work = move || {
                begun.fetch_add(1, Ordering::SeqCst);
                gate.lock().unwrap().recv().unwrap_err();
                number
            };
            answers.spawn(async move { desk.make(work).await });
        }
        let both = async {
            while begun.load(Ordering::SeqCst) < PLACES {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(5), both).await.expect("the runtime goes on");
        sleep(Duration::from_millis(20)).await;
        assert_eq!(begun.load(Ordering::SeqCst), PLACES, "the others wait");
        drop(open);
        let mut made = answers.join_all().await;
        made.sort_unstable();
        assert_eq!(made, [0, 1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn a_panic_comes_back_to_who_asked_and_frees_the_place() {
        let desk = Desk::default();
        for _ in 0..2 * PLACES {
            let desk = desk.clone();
            let asked = tokio::spawn(async move { desk.make(|| -> u8 { panic!("a defect") }).await });
            let panic = asked.await.unwrap_err().into_panic();
            assert_eq!(panic.downcast_ref(), Some(&"a defect"));
        }
        assert_eq!(timeout(Duration::from_secs(5), desk.make(|| 7)).await.unwrap(), 7);
    }
}
