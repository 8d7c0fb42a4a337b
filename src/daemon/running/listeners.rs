//! Where the web port listens, and the files that are followed: those of its TLS, and those that are used to tell with.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

use super::Running;
use crate::daemon::draft::Known;
use crate::daemon::reload::Reloads;
use crate::shutdown::{Shutdown, Stop};
use crate::stamp::Files;
use crate::web::guard::Guard;

/// How often the files of our own TLS are looked at. What changed is used after twice this time at most.
const TLS_FILES_EVERY: Duration = Duration::from_secs(5);
/// The same for secrets and templates of channels.
const TOLD_FILES_EVERY: Duration = Duration::from_secs(2);

/// One address of the web port.
pub(super) struct Listening {
    pub(super) stop: Stop,
    /// It is closed by whoever accepts on it.
    socket: Weak<TcpListener>,
}

impl Running {
    /// What is listened on now.
    pub(super) fn held(&self) -> Vec<(SocketAddr, Weak<TcpListener>)> {
        let held = self.listeners.iter();
        held.map(|(address, listening)| (*address, Weak::clone(&listening.socket))).collect()
    }

    /// Listens where it is new, and no longer where nobody wants it.
    pub(super) fn listen(&mut self, new: Vec<(SocketAddr, TcpListener)>, known: &Known) {
        let Some(wanted) = &known.listen else { return };
        self.listeners.retain(|address, listening| {
            let stays = wanted.contains(address);
            if !stays {
                tracing::info!(%address, "not listened on any more");
                listening.stop.request();
            }
            stays
        });
        for (address, listener) in new {
            let (stop, listener) = (Stop::new(), Arc::new(listener));
            let (port, asked) = (self.port.clone(), stop.listener());
            let (ended, socket) = (asked.clone(), Arc::downgrade(&listener));
            self.loops.spawn(async move {
                port.serve(listener, asked).await;
                (!ended.is_requested()).then_some("the web server")
            });
            self.listeners.insert(address, Listening { stop, socket });
        }
    }

    pub(super) fn follow(&mut self, guard: &Guard) {
        // the one before is asked to stop by being let go
        self.follow = guard.tls.clone().map(|tls| {
            let stop = Stop::new();
            let asked = stop.listener();
            self.loops.spawn(async move {
                tls.follow(TLS_FILES_EVERY, asked).await;
                None
            });
            stop
        });
    }

    /// What channels and the sign of life are made of is read again when it changes.
    pub(super) fn follow_told(&mut self, files: Files) {
        // the one before is asked to stop by being let go
        self.follow_told = (!files.paths().is_empty()).then(|| {
            let stop = Stop::new();
            let (reloads, asked) = (self.base.reloads.clone(), stop.listener());
            self.loops.spawn(async move {
                follow(files, &reloads, &asked).await;
                None
            });
            stop
        });
    }
}

/// Asks once for each change that has come to rest. What cannot be used is not tried again until it changes.
async fn follow(mut files: Files, reloads: &Reloads, stop: &Shutdown) {
    loop {
        tokio::select! {
            () = stop.requested() => return,
            () = tokio::time::sleep(TOLD_FILES_EVERY) => {}
        }
        // a folder on a network may keep one waiting
        let look = spawn_blocking(move || (files.look(), files));
        let changed;
        (changed, files) = look.await.expect("nothing in there panics");
        if changed {
            files.take();
            tokio::select! {
                () = stop.requested() => return,
                () = reloads.files_changed() => {}
            }
        }
    }
}
