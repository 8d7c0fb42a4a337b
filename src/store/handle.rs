//! A store for many: one keeps it open (the [`Holder`]), the others use it while it is usable and see when it is not.
//!
//! Anybody who gets an error from it reports that; the holder opens it anew. Nobody waits in here for a database.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::{Store, StoreError};

/// Reports that nobody has read yet. One is enough to have the store opened anew.
const REPORTS: usize = 8;

/// For those who use the store. Clones see the same.
#[derive(Debug, Clone)]
pub struct Handle {
    store: watch::Receiver<Option<Arc<Store>>>,
    reports: mpsc::Sender<(Arc<Store>, StoreError)>,
}

/// For the one who opens and closes it.
#[derive(Debug)]
pub struct Holder {
    store: watch::Sender<Option<Arc<Store>>>,
    reports: mpsc::Receiver<(Arc<Store>, StoreError)>,
}

/// Both ends; there is no store yet.
pub fn handle() -> (Holder, Handle) {
    let (store, seen) = watch::channel(None);
    let (sender, reports) = mpsc::channel(REPORTS);
    (Holder { store, reports }, Handle { store: seen, reports: sender })
}

impl Handle {
    /// The store, if it can be used at the moment. To be asked for anew for each piece of work: a store that is held on
    /// to stays open.
    pub fn store(&self) -> Option<Arc<Store>> {
        self.store.borrow().clone()
    }

    /// Waits until the store can be used. `None`: it never will be again.
    pub async fn usable(&mut self) -> Option<Arc<Store>> {
        self.store.wait_for(Option::is_some).await.ok()?.clone()
    }

    /// Waits until `store` is not the one to be used any more: it has become another one, or has gone. At once, if that
    /// has happened already. `false`: it will not happen any more.
    pub async fn replaced(&mut self, store: &Arc<Store>) -> bool {
        // not `changed`: a clone has not seen what is shown now, and the same store may be shown twice
        self.store.wait_for(|shown| !is_same(shown.as_ref(), store)).await.is_ok()
    }

    /// This store gave this error. It is closed and opened anew, unless that has happened already or would not help:
    /// that renewals cannot be read is no reason to stop alerts.
    pub fn report(&self, store: &Arc<Store>, error: StoreError) {
        if !error.trouble.opening_may_help() {
            return;
        }
        if let Err(refused) = self.reports.try_send((Arc::clone(store), error)) {
            // Enough others said so, or nobody opens stores any more.
            tracing::debug!(%refused, "one more report about the store");
        }
    }
}

impl Holder {
    /// Shows this store to those who use it; `None`: there is none to be used.
    pub fn show(&self, store: Option<Arc<Store>>) {
        self.store.send_replace(store);
    }

    /// Waits until somebody has got an error from the store that is shown.
    pub async fn broken(&mut self) -> StoreError {
        loop {
            match self.reports.recv().await {
                Some((store, error)) if self.is_shown(&store) => return error,
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Waits until nobody has a [`Handle`] any more.
    pub async fn unused(&mut self) {
        self.store.closed().await;
    }

    fn is_shown(&self, store: &Arc<Store>) -> bool {
        is_same(self.store.borrow().as_ref(), store)
    }
}

fn is_same(shown: Option<&Arc<Store>>, store: &Arc<Store>) -> bool {
    shown.is_some_and(|shown| Arc::ptr_eq(shown, store))
}
