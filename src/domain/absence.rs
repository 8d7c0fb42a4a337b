//! When a scope may go that its cloud does not name any more. Pure: what was said in, a verdict out.
//!
//! With a scope go its certificates, so one word is never enough, silence is none, and an answer outweighs a list.
//! What the operator wrote down stays, whatever the cloud says of it.

use std::collections::HashSet;

use super::identity::Scope;
use super::listing::ScopeList;

/// So often in a row it must be said that a scope is not there.
const ENOUGH: u32 = 2;
/// And so often where it is said of every scope of a service: a defect over there looks the same.
const ENOUGH_FOR_ALL: u32 = 3;

/// What the operator wrote down: places that the configuration names do not go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Named {
    /// The account has `regions`.
    pub regions: bool,
    /// The account has `projects`.
    pub projects: bool,
}

/// What speaks for it that a scope is gone, since something last spoke against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Absence {
    /// Complete lists in a row that did not name it.
    unlisted: u32,
    /// Listings in a row to which the cloud said that the project does not exist.
    denied: u32,
    /// A list named it all the same, after the first of those.
    contradicted: bool,
    /// The key of the account's configuration that names what is missing.
    kept_by: Option<&'static str>,
}

/// What follows for a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks for its being gone, or not enough and something against it.
    Stays,
    /// The next word decides: it should be asked for soon.
    Doubted,
    /// It would go, and this key of the configuration names it.
    Kept(&'static str),
    /// It goes; why, in words.
    Gone(&'static str),
}

impl Absence {
    /// A list names it.
    pub fn listed(&mut self) {
        *self = Self { unlisted: 0, denied: self.denied, contradicted: self.denied > 0, kept_by: None };
    }

    /// A complete list does not name it.
    pub fn not_listed(&mut self, kept_by: Option<&'static str>) {
        let unlisted = self.unlisted.saturating_add(1);
        *self = Self { unlisted, denied: self.denied, contradicted: false, kept_by };
    }

    /// The cloud says that its project does not exist. Returns whether that is news.
    pub fn denied(&mut self, named: Named) -> bool {
        self.denied = self.denied.saturating_add(1);
        self.kept_by = self.kept_by.or(named.projects.then_some("projects"));
        self.denied == 1
    }

    /// It was listed well.
    pub fn answered(&mut self) {
        let kept_by = self.kept_by.filter(|_| self.unlisted > 0);
        *self = Self { unlisted: self.unlisted, denied: 0, contradicted: false, kept_by };
    }

    /// The key of the configuration on account of which it stays, although it seems to be gone.
    pub fn kept_by(&self) -> Option<&'static str> {
        self.kept_by
    }

    fn is_something(self) -> bool {
        self.unlisted > 0 || self.denied > 0
    }

    /// `answers`: it is read well and holds something. `enough`: so often must be said that it is not there.
    fn verdict(self, answers: bool, enough: u32) -> Verdict {
        match self.kept_by {
            _ if !self.is_something() => Verdict::Stays,
            Some(key) => Verdict::Kept(key),
            None if self.unlisted >= enough && !answers => {
                Verdict::Gone("the cloud does not list it any more")
            }
            None if self.denied >= enough && !self.contradicted => {
                Verdict::Gone("the cloud says that its project does not exist")
            }
            None if self.unlisted.max(self.denied) >= enough || self.contradicted => Verdict::Stays,
            None => Verdict::Doubted,
        }
    }
}

/// Takes in what a list says of the scopes that are known for the same service of the same account. An incomplete one
/// speaks only for those that it names.
pub fn take_in<'s>(
    list: &ScopeList,
    named: Named,
    known: impl IntoIterator<Item = (&'s Scope, &'s mut Absence)>,
) {
    let scopes: HashSet<&Scope> = list.scopes.iter().collect();
    let projects: HashSet<&str> = list.scopes.iter().map(|scope| &*scope.project).collect();
    let regions: HashSet<&str> = list.scopes.iter().map(|scope| &*scope.region).collect();
    for (scope, absence) in known {
        // What is missing is the project, the region or both; where each is there elsewhere, their pair.
        let (project, region) = (!projects.contains(&*scope.project), !regions.contains(&*scope.region));
        let pair = !project && !region;
        let by_project = (named.projects && (project || pair)).then_some("projects");
        let by_region = (named.regions && (region || pair)).then_some("regions");
        if scopes.contains(scope) {
            absence.listed();
        } else if list.incomplete.is_none() {
            absence.not_listed(by_project.or(by_region));
        }
    }
}

/// What follows for every scope of a service of an account; beside each, whether it is read well and holds something.
pub fn verdicts(known: &[(Absence, bool)]) -> Vec<Verdict> {
    let all = known.iter().all(|(absence, _)| absence.is_something());
    let enough = if all { ENOUGH_FOR_ALL } else { ENOUGH };
    known.iter().map(|(absence, answers)| absence.verdict(*answers, enough)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::reason::Reason;

    /// What happens to the scope `p/r`, beside which `other/elsewhere` is always fine unless a list is empty of it.
    #[derive(Clone, Copy)]
    enum Event {
        /// A complete list of these places.
        List(&'static [(&'static str, &'static str)]),
        /// An incomplete one.
        Part(&'static [(&'static str, &'static str)]),
        /// Its listing says that the project does not exist.
        Denied,
        /// Its listing comes.
        Answers,
    }
    use Event::{Answers, Denied, List, Part};

    const IT: (&str, &str) = ("p", "r");
    const OTHER: (&str, &str) = ("other", "elsewhere");
    const BOTH: Event = List(&[IT, OTHER]);
    const WITHOUT: Event = List(&[OTHER]);
    const NEITHER: Event = List(&[("new", "new")]);
    const PROJECT_GONE: Event = List(&[("other", "r"), OTHER]);
    const REGION_GONE: Event = List(&[("p", "elsewhere"), OTHER]);
    const PAIR_GONE: Event = List(&[("p", "elsewhere"), ("other", "r")]);

    fn scope((project, region): (&str, &str)) -> Scope {
        Scope { project: project.into(), region: region.into(), ..crate::domain::testing::scope("ulb") }
    }

    fn after(events: &[Event], named: Named) -> Verdict {
        let (it, other) = (scope(IT), scope(OTHER));
        let (mut absence, mut others, mut answers) = (Absence::default(), Absence::default(), false);
        for event in events {
            match *event {
                List(places) | Part(places) => {
                    let scopes = places.iter().copied().map(scope).collect();
                    let why = matches!(event, Part(_)).then(|| (Reason::Unreadable, "a row".to_owned()));
                    let list = ScopeList { scopes, incomplete: why };
                    take_in(&list, named, [(&it, &mut absence), (&other, &mut others)]);
                }
                Denied => {
                    absence.denied(named);
                    answers = false;
                }
                Answers => {
                    absence.answered();
                    answers = true;
                }
            }
        }
        verdicts(&[(absence, answers), (others, true)])[0]
    }

    #[test]
    fn a_scope_goes_only_when_it_was_said_twice_and_nothing_speaks_against_it() {
        let unlisted = Verdict::Gone("the cloud does not list it any more");
        let denied = Verdict::Gone("the cloud says that its project does not exist");
        for (name, events, want) in [
            ("always listed", &[BOTH, BOTH][..], Verdict::Stays),
            ("missing once", &[BOTH, WITHOUT], Verdict::Doubted),
            ("missing twice", &[BOTH, WITHOUT, WITHOUT], unlisted),
            ("missing twice, not in a row", &[WITHOUT, BOTH, WITHOUT], Verdict::Doubted),
            ("missing in an incomplete list", &[WITHOUT, Part(&[OTHER])], Verdict::Doubted),
            (
                "missing in incomplete lists only",
                &[Part(&[OTHER]), Part(&[OTHER]), Part(&[])],
                Verdict::Stays,
            ),
            ("an incomplete list in between", &[WITHOUT, Part(&[OTHER]), WITHOUT], unlisted),
            ("named by an incomplete list", &[WITHOUT, Part(&[IT]), WITHOUT], Verdict::Doubted),
            ("missing, and read well", &[WITHOUT, WITHOUT, Answers], Verdict::Stays),
            ("missing, read well, then denied", &[WITHOUT, WITHOUT, Answers, Denied], unlisted),
            ("denied once", &[BOTH, Denied], Verdict::Doubted),
            ("denied twice", &[BOTH, Denied, Denied], denied),
            ("denied, read, denied", &[Denied, Answers, Denied], Verdict::Doubted),
            ("one word of each kind", &[Denied, WITHOUT], Verdict::Doubted),
            ("denied and still listed", &[Denied, BOTH, Denied, Denied], Verdict::Stays),
            ("denied, listed, then not", &[Denied, BOTH, Denied, WITHOUT], denied),
            ("everything missing twice", &[NEITHER, NEITHER], Verdict::Doubted),
            ("everything missing three times", &[NEITHER, NEITHER, NEITHER], unlisted),
        ] {
            assert_eq!(after(events, Named::default()), want, "{name}");
        }
    }

    #[test]
    fn what_the_operator_named_stays_and_says_by_which_key() {
        let (regions, projects) =
            (Named { regions: true, projects: false }, Named { regions: false, projects: true });
        let gone = Verdict::Gone("the cloud does not list it any more");
        for (name, named, events, want) in [
            ("the region, named", regions, [REGION_GONE, REGION_GONE], Verdict::Kept("regions")),
            ("the region, another key", projects, [REGION_GONE, REGION_GONE], gone),
            ("the project, named", projects, [PROJECT_GONE, PROJECT_GONE], Verdict::Kept("projects")),
            ("the project, another key", regions, [PROJECT_GONE, PROJECT_GONE], gone),
            ("only their pair", regions, [PAIR_GONE, PAIR_GONE], Verdict::Kept("regions")),
            ("the project, denied", projects, [Denied, Denied], Verdict::Kept("projects")),
            ("denied, then read", projects, [Denied, Answers], Verdict::Stays),
        ] {
            assert_eq!(after(&events, named), want, "{name}");
        }
    }
}
