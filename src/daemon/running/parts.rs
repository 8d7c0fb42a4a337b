//! What a reload replaces: the delivery of messages, the renewal loop, and what the routes show; made of a draft, and begun.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;

use super::{Providers, Running};
use crate::daemon::alerts::{self, Channel, Delivery, watch::Rules};
use crate::daemon::draft::{Draft, Known, Renewed, Shown, Told};
use crate::daemon::renewal::{self, Renewals};
use crate::daemon::service::Numbers;
use crate::shutdown::Stop;
use crate::web::guard::Guard;
use crate::web::inside::{Alerting, Bundling, Inside, Pace, Renewing};
use crate::web::server::Served;
use crate::web::view::{View, ViewSettings};
use crate::web::{self, AppState};

/// A part that a reload replaces.
pub(super) struct Part<T> {
    pub(super) stop: Stop,
    pub(super) done: oneshot::Receiver<T>,
    pub(super) task: AbortHandle,
}

impl Running {
    /// Begins what is new with this configuration. `has_messages`: of channels that may not be configured any more.
    pub(super) fn use_draft(&mut self, draft: Draft, before: Option<Renewals>, has_messages: bool) {
        let Draft { accounts, poll: _, told, renewed, shown, listeners, known } = draft;
        let providers =
            accounts.iter().map(|account| (Arc::clone(&account.name), Arc::clone(&account.provider)));
        let providers: Providers = providers.collect();
        self.providers.send_replace(providers.clone());
        let (files, rules) = (told.files.clone(), told.rules.clone());
        let is_wanted = !told.is_nothing() || has_messages;
        self.forget_channels(&told.channels);
        let mut delivery = if is_wanted { self.delivery(told) } else { None };
        let renewals = self.renewals(renewed, rules, &providers, delivery.as_ref(), before);
        if let (Some(delivery), Some(renewals)) = (&mut delivery, &renewals) {
            delivery.knows(renewals);
        }
        let renewing = renewals.as_ref();
        let renewing =
            renewing.map(|renewals| Renewing { board: renewals.board(), desk: Arc::new(renewals.desk()) });
        let board = renewing.as_ref().map(|renewing| renewing.board.clone());
        self.numbers.send_replace(Numbers { accounts: accounts.len(), renewals: board });
        let alerting = delivery.as_ref().and_then(|delivery| self.alerting(delivery));
        let view = self.view(shown, &known, alerting, renewing, providers);
        self.run_delivery(delivery);
        self.run_renewals(renewals);
        self.show(&Arc::new(view), &known.guard);
        self.listen(listeners, &known);
        self.follow(&known.guard);
        self.follow_told(files);
        self.known = known;
    }

    /// What is counted of a channel goes with it, once nobody speaks for it any more.
    fn forget_channels(&self, channels: &[Channel]) {
        let is_configured = |name: &str| channels.iter().any(|channel| *channel.name == *name);
        self.base.telemetry.forget_channels(is_configured);
    }

    /// `None`: nothing can be written down.
    fn delivery(&self, told: Told) -> Option<Delivery> {
        let Told { channels, heartbeat, words, rules, files: _ } = told;
        let store = self.base.store.clone()?;
        let parts = alerts::Parts {
            channels,
            words,
            rules,
            heartbeat,
            snapshots: self.base.snapshots.clone(),
            store,
            metrics: Arc::clone(&self.base.metrics),
            telemetry: Arc::clone(&self.base.telemetry),
            clock: self.base.clock.clone(),
        };
        Some(Delivery::after(parts, self.estate.clone()))
    }

    /// `None`: nothing is kept, so nothing can be renewed.
    fn renewals(
        &self,
        renewed: Renewed,
        rules: Rules,
        providers: &Providers,
        delivery: Option<&Delivery>,
        before: Option<Renewals>,
    ) -> Option<Renewals> {
        let Renewed { policy, page } = renewed;
        let parts = renewal::Parts {
            policy,
            rules: delivery.map_or_else(|| watch::Sender::new(Arc::new(rules)).subscribe(), Delivery::rules),
            page,
            snapshots: self.base.snapshots.clone(),
            providers: providers.clone(),
            store: self.base.store.clone()?,
            wishes: self.wishes.clone(),
            written: delivery.map(Delivery::written).unwrap_or_default(),
            metrics: Arc::clone(&self.base.metrics),
            telemetry: Arc::clone(&self.base.telemetry),
            clock: self.base.clock.clone(),
        };
        let renewals = Renewals::new(parts);
        Some(match before {
            Some(before) => renewals.in_place_of(before),
            None => renewals,
        })
    }

    fn run_delivery(&mut self, delivery: Option<Delivery>) {
        let Some(mut delivery) = delivery else {
            self.base.pulses.alerts.rest();
            return self.base.metrics.show_channels(Vec::new());
        };
        self.base.pulses.alerts.beat();
        delivery.beats(self.base.pulses.alerts.clone());
        self.estate = delivery.estate();
        let stop = Stop::new();
        let work = delivery.run(stop.listener());
        self.delivery = Some(self.begin_part("the delivery of messages", stop, work));
    }

    fn run_renewals(&mut self, renewals: Option<Renewals>) {
        let Some(mut renewals) = renewals else { return self.base.pulses.renewals.rest() };
        self.base.pulses.renewals.beat();
        renewals.beats(self.base.pulses.renewals.clone());
        let hand_over = Stop::new();
        let work = renewals.run_or_hand_over(self.stop.listener(), hand_over.listener());
        self.renewals = Some(self.begin_part("the renewal loop", hand_over, work));
    }

    /// From now on these routes answer.
    fn show(&self, view: &Arc<View>, guard: &Guard) {
        let now = self.base.clock.clone();
        let state = AppState {
            snapshot: self.base.snapshots.clone(),
            metrics: Arc::clone(&self.base.metrics),
            now: Arc::new(move || now.now()),
        };
        let app = web::control_router(state.clone(), Arc::clone(view));
        self.controlled.send_replace(Arc::new(Served { app, guard: Guard::default() }));
        let app = web::router(state, Arc::clone(view));
        self.served.send_replace(Arc::new(Served { app, guard: guard.clone() }));
    }

    fn view(
        &self,
        shown: Shown,
        known: &Known,
        alerting: Option<Alerting>,
        renewing: Option<Renewing>,
        providers: Providers,
    ) -> View {
        let Shown { settings, explainer, effective } = shown;
        let inside = Inside {
            alerting,
            store: self.base.store.clone(),
            pace: Some(pace(providers)),
            renewing,
            explain: explainer.map(Into::into).unwrap_or_default(),
            reading: Some(self.base.reading.subscribe()),
            reload: Some(Arc::new(self.base.reloads.clone())),
            logging: self.base.logging.clone(),
            bundling: Some(Bundling {
                config: effective,
                answers: known.http.kept().clone(),
                metrics: Arc::clone(&self.base.metrics),
            }),
        };
        self.view_of(settings, inside)
    }

    fn view_of(&self, settings: ViewSettings, inside: Inside) -> View {
        let now = self.base.clock.clone();
        View {
            snapshot: self.base.snapshots.clone(),
            settings: watch::Sender::new(Arc::new(settings)).subscribe(),
            now: Box::new(move || now.now()),
            version: env!("CARGO_PKG_VERSION"),
            started_at: self.base.started_at,
            timeline_start: self.base.clock.wall_of(Duration::ZERO),
            inside,
        }
    }

    /// What people see and do of what is told.
    fn alerting(&self, delivery: &Delivery) -> Option<Alerting> {
        Some(Alerting {
            rules: delivery.rules(),
            board: delivery.board(),
            ask: delivery.ask(),
            desk: Arc::new(delivery.office()),
            store: self.base.store.clone()?,
            renewal: delivery.renewal(),
            silence_id: alerts::silence_id,
        })
    }

    fn begin_part<T: Send + 'static>(
        &mut self,
        name: &'static str,
        stop: Stop,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Part<T> {
        let (told, done) = oneshot::channel();
        let asked = stop.listener();
        let task = self.loops.spawn(async move {
            // nobody listens when the whole daemon ends
            let _ = told.send(work.await);
            (!asked.is_requested()).then_some(name)
        });
        Part { stop, done, task }
    }
}

/// Calls a second that may go to the detail API of a scope now.
fn pace(providers: Providers) -> Pace {
    Box::new(move |scope| providers.get(&scope.account).map(|provider| provider.inspect_rate(scope)))
}
