//! How many requests for pages and lists are under way at once: so many, and a share of them for each peer; who comes
//! then is sent away and may come again.
//!
//! Whoever waits for an answer of ours has a place on the port that nobody else gets (`doorkeeper`). Pages over a large
//! fleet take long and are made two at a time (`desk`): without a limit, readers who wait would take all places, and
//! scrapes would stand before the door. Scrapes do not come through here. Knows nothing of what is answered.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::RETRY_AFTER;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::peer::Peer;
use super::refusal::Refusal;

/// So many requests are under way at once, those included whose answer is being made. With 100,000 resources the last of
/// them waits some ten seconds.
const PLACES: usize = 32;
/// So many of them may be of one peer. Behind a proxy everybody is one.
const SHARE: usize = 16;
/// Who is sent away should come again after so many seconds.
const AGAIN: HeaderValue = HeaderValue::from_static("5");

/// Where requests wait for their answers. Clones are the same room.
#[derive(Clone, Default)]
pub(super) struct WaitingRoom(Arc<Mutex<HashMap<Peer, usize>>>);

impl WaitingRoom {
    /// A place for a request of this peer, until it is dropped. `None`: there is none.
    fn enter(&self, peer: Peer) -> Option<Place> {
        let mut inside = self.inside();
        let all: usize = inside.values().sum();
        let own = inside.get(&peer).copied().unwrap_or(0);
        if all >= PLACES || own >= SHARE {
            return None;
        }
        inside.insert(peer, own + 1);
        Some(Place { room: self.clone(), peer })
    }

    fn inside(&self) -> MutexGuard<'_, HashMap<Peer, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the room.
struct Place {
    room: WaitingRoom,
    peer: Peer,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.room.inside();
        if let Entry::Occupied(mut own) = inside.entry(self.peer) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

/// Has a request answered while it has a place. Whoever goes away leaves it.
pub(super) async fn wait(State(room): State<WaitingRoom>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get().copied().unwrap_or(Peer::LOCAL);
    let Some(_place) = room.enter(peer) else {
        let full = "too many pages and lists are being asked for at the moment: try again in a while";
        return ([(RETRY_AFTER, AGAIN)], Refusal::unavailable(full)).into_response();
    };
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> Peer {
        Peer::of([192, 0, 2, number].into())
    }

    #[test]
    fn a_peer_has_its_share_and_all_together_have_what_there_is() {
        let room = WaitingRoom::default();
        let enter = |number: u8| room.enter(peer(number));
        let mut first: Vec<Place> = (0..SHARE).map_while(|_| enter(1)).collect();
        assert_eq!(first.len(), SHARE);
        assert!(enter(1).is_none(), "more than its share");
        let second: Vec<Place> = (0..).map_while(|_| enter(2)).collect();
        assert_eq!(second.len(), PLACES - SHARE);
        assert!(enter(3).is_none(), "all are taken");
        first.pop();
        let third = enter(3).expect("somebody left");
        assert!(enter(1).is_none(), "its place was given away");
        drop((first, second, third));
        assert!(room.inside().is_empty(), "nobody is remembered");
    }
}
