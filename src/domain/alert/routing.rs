//! Which channel hears of what: routes in order, the first that means it wins unless it says `continue`.

use crate::domain::finding::Stage;
use crate::domain::policy::{Digest, Quiet, Route, Thresholds};

/// Channels and the routes to them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Routing {
    /// Every channel.
    pub channels: Vec<ChannelRules>,
    /// In order; none: everything goes to every channel.
    pub routes: Vec<Route>,
}

/// What the decision has to know of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRules {
    /// Its name.
    pub name: Box<str>,
    /// The least stage that it is told of.
    pub least: Stage,
    /// It opens and closes incidents: it always hears that something is over, and gets neither digests nor reminders of
    /// what it was not told.
    pub pager: bool,
    /// It is told the present state again and again (`standing`), and gets no messages.
    pub replica: bool,
}

/// A way to a channel.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Way<'r> {
    /// Which route, counted from 1; `None`: there are no routes, and everything goes everywhere.
    pub number: Option<usize>,
    route: Option<&'r Route>,
}

impl<'r> Way<'r> {
    /// In place of those of the policy.
    pub fn thresholds(&self) -> Option<&'r Thresholds> {
        self.route.and_then(|route| route.thresholds.as_ref())
    }

    /// When it is quiet there.
    pub fn quiet(&self) -> Option<&'r Quiet> {
        self.route.and_then(|route| route.quiet.as_ref())
    }

    /// When what can wait is told.
    pub fn digest(&self) -> Option<&'r Digest> {
        self.route.and_then(|route| route.digest.as_ref())
    }

    /// Whether good news is told.
    pub fn send_renewed(&self) -> bool {
        self.route.is_none_or(|route| route.send_renewed)
    }

    /// How long news waits for company.
    pub fn group_wait(&self) -> std::time::Duration {
        self.route.map_or(Route::GROUP_WAIT, |route| route.group_wait)
    }

    /// As people call it.
    pub fn name(&self) -> Box<str> {
        self.number.map_or_else(Box::default, |number| format!("route {number}").into())
    }
}

impl Routing {
    /// The rules of a channel.
    pub fn channel(&self, name: &str) -> Option<&ChannelRules> {
        self.channels.iter().find(|channel| &*channel.name == name)
    }

    /// The way by which something comes to a channel. `means` answers whether a route means it; it is asked in order,
    /// and no further than the first route that does.
    pub fn way(&self, channel: &str, means: impl Fn(&Way<'_>, &Route) -> bool) -> Option<Way<'_>> {
        if self.routes.is_empty() {
            return Some(Way { number: None, route: None });
        }
        for (index, route) in self.routes.iter().enumerate() {
            let way = Way { number: Some(index + 1), route: Some(route) };
            if means(&way, route) {
                if route.channels.iter().any(|name| name == channel) {
                    return Some(way);
                }
                if !route.proceed {
                    return None;
                }
            }
        }
        None
    }

    /// Every way to a channel, whatever it is about.
    pub fn ways_to<'r>(&'r self, channel: &'r str) -> impl Iterator<Item = Way<'r>> {
        let all = self.routes.is_empty().then_some(Way { number: None, route: None });
        let routes = self.routes.iter().enumerate();
        let named = routes.filter(move |(_, route)| route.channels.iter().any(|name| name == channel));
        all.into_iter().chain(named.map(|(index, route)| Way { number: Some(index + 1), route: Some(route) }))
    }

    /// The loosest thresholds in use anywhere: what is within none of them is in no stage for anybody.
    pub fn loosest_info(&self, policy: &crate::domain::policy::AlertPolicy) -> std::time::Duration {
        let routes = self.routes.iter().filter_map(|route| route.thresholds);
        let all = routes.chain(policy.overrides.iter().map(|(_, thresholds)| *thresholds));
        all.map(|thresholds| thresholds.info).fold(policy.thresholds.info, std::time::Duration::max)
    }
}
