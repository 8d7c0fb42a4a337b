use super::super::message::{By, Gone};
use super::super::standing::How;
use super::*;
use crate::domain::identity::CertRole;
use crate::domain::resource::{Certificate, TlsState};

/// A fleet that is told as a state, and the last one.
struct Told {
    town: Town,
    state: State,
}

impl Told {
    fn of(town: Town) -> Self {
        let mut town = town;
        town.routing.channels = vec![ChannelRules { replica: true, ..channel("state") }];
        let state = town.state("state", None);
        Self { town, state }
    }

    /// One look later.
    fn next(&mut self) -> String {
        self.town.evaluate();
        self.state = self.town.state("state", Some(&self.state));
        let open = self
            .state
            .open
            .iter()
            .map(|open| format!("{} {}", id(&open.item), open.item.severity().as_str()));
        let now = self.town.now;
        let ended = self.state.ended.iter().filter(|ended| ended.at == now);
        let ended = ended.map(|ended| format!("{} {}", id(&ended.was.item), how(&ended.how)));
        open.chain(ended).collect::<Vec<_>>().join(", ")
    }
}

fn id(item: &Item) -> &str {
    match item {
        Item::Certificate(item) => &item.facts.resource_id,
        Item::Source(source) => &source.account,
        _ => panic!("{item:?}"),
    }
}

fn how(how: &How) -> String {
    match how {
        How::Renewed { stage, by, .. } => format!("renewed by {by:?}, {}", stage.as_str()),
        How::Otherwise { .. } => "otherwise".to_owned(),
        How::Gone(how) => format!("{how:?}"),
        How::Readable => "readable".to_owned(),
        How::NotWatched => "not watched".to_owned(),
    }
}

#[derive(Clone, Copy)]
enum Step {
    /// A look finds it to end so many days after the beginning.
    Ends(i64),
    /// The same, and this daemon brought that about.
    Ours(i64),
    /// A look finds TLS to be off.
    Off,
    /// A look finds nothing, although TLS is on.
    Empty,
    /// A look finds that of the CA only.
    Bare,
    /// A complete listing has it not.
    Unlisted,
    /// A listing fails.
    Fails,
    /// Its scope is taken out.
    Removed,
    /// Its thresholds are narrower from now on.
    Narrow,
    /// Only time goes by, so many days.
    Days(i64),
}

fn go(town: &mut Town, step: Step, began: DateTime<Utc>) {
    town.wait(TimeDelta::hours(1));
    match step {
        Step::Ends(ends) => town.read("r-1", began + days(ends)),
        Step::Ours(ends) => {
            town.renewal.ours = Some(began + days(ends));
            town.read("r-1", began + days(ends));
        }
        Step::Off => {
            let off = Reading { state: TlsState::Disabled, at: town.now, ..reading(Vec::new()) };
            town.look("r-1", off);
        }
        Step::Empty => town.look("r-1", Reading { at: town.now, ..reading(Vec::new()) }),
        Step::Bare => {
            let ca = Certificate { role: CertRole::Ca, ..certificate(began + days(3000)) };
            town.look("r-1", Reading { at: town.now, ..reading(vec![ca]) });
        }
        Step::Unlisted => town.list(&["r-2", "r-3"]),
        Step::Fails => town.fail(Reason::Timeout),
        Step::Removed => {
            let scope = Arc::clone(&town.scope);
            town.snapshot.remove_scope(&scope);
        }
        Step::Narrow => {
            let day = Duration::from_hours(24);
            let thresholds =
                crate::domain::policy::Thresholds { info: day * 3, warning: day * 2, critical: day };
            town.alert.thresholds = thresholds;
        }
        Step::Days(wait) => drop(town.wait(days(wait))),
    }
}

#[test]
fn two_answers_end_what_stands_and_one_does_not() {
    use Step::{Bare, Days, Empty, Ends, Fails, Narrow, Off, Ours, Removed, Unlisted};
    let stands = "r-1 critical";
    let cases: &[(&str, &[(Step, &str)])] = &[
        ("nothing new", &[(Ends(5), stands), (Ends(5), stands)]),
        ("a misread", &[(Ends(365), stands), (Ends(5), stands), (Ends(365), stands), (Ends(5), stands)]),
        ("renewed", &[(Ends(365), stands), (Ends(365), "r-1 renewed by External, ok"), (Ends(365), "")]),
        ("renewed by us", &[(Ours(365), "r-1 renewed by Notafter, ok")]),
        (
            "renewed for a short time",
            &[(Ends(20), stands), (Ends(20), "r-1 info, r-1 renewed by External, info")],
        ),
        ("an earlier end", &[(Ends(3), stands), (Ends(3), stands), (Ends(3), stands)]),
        ("a doubt while it gets worse", &[(Ends(365), stands), (Days(6), "r-1 critical")]),
        ("one listing without it", &[(Unlisted, stands), (Ends(5), stands)]),
        ("two listings without it", &[(Unlisted, stands), (Unlisted, "r-1 NotListed")]),
        ("one listing, and failures", &[(Unlisted, stands), (Fails, stands), (Days(4), stands)]),
        ("failures only", &[(Fails, stands), (Fails, stands)]),
        ("one look without TLS", &[(Off, stands), (Ends(5), stands)]),
        ("two looks without TLS", &[(Off, stands), (Off, "r-1 TlsOff")]),
        ("two looks without it", &[(Bare, stands), (Bare, "r-1 NotShown")]),
        ("two looks that tell nothing", &[(Empty, stands), (Empty, stands)]),
        ("not watched any more", &[(Removed, "r-1 NotWatched")]),
        ("other thresholds", &[(Narrow, "r-1 otherwise")]),
    ];
    for (name, course) in cases {
        let town = Town::new().with("r-1", days(5)).with("r-2", days(300)).with("r-3", days(300));
        let began = town.now;
        let mut told = Told::of(town);
        for (number, (step, want)) in course.iter().enumerate() {
            go(&mut told.town, *step, began);
            assert_eq!(told.next(), *want, "{name}: look {}", number + 1);
        }
    }
}

#[test]
fn while_it_is_doubted_the_old_end_is_told() {
    let town = Town::new().with("r-1", days(8));
    let end = town.now + days(8);
    let mut told = Told::of(town);
    told.town.wait(days(2)).read("r-1", end + days(365));
    assert_eq!(told.next(), "r-1 critical, r-1 otherwise", "stages go on");
    let Item::Certificate(item) = &told.state.open[0].item else { panic!("{:?}", told.state) };
    assert_eq!(item.facts.not_after, end);
}

#[test]
fn what_ended_is_told_for_a_while_and_not_once_it_stands_again() {
    let town = Town::new().with("r-1", days(5));
    let end = town.now + days(5);
    let mut told = Told::of(town);
    for _ in 0..2 {
        told.town.wait(TimeDelta::minutes(1)).read("r-1", end + days(365));
        told.next();
    }
    for (minute, kept) in [(1, 1), (13, 1), (1, 0)] {
        told.town.wait(TimeDelta::minutes(minute));
        told.next();
        assert_eq!(told.state.ended.len(), kept, "{:?}", told.town.now);
    }
    for _ in 0..2 {
        told.town.wait(TimeDelta::minutes(1)).read("r-1", end);
        told.next();
    }
    assert_eq!((told.state.open.len(), told.state.ended.len()), (1, 0));
}

#[test]
fn the_end_of_a_blind_source_is_told_as_what_it_is() {
    for (name, step, want) in
        [("read", Step::Unlisted, "prod readable"), ("taken out", Step::Removed, "prod not watched")]
    {
        let town = Town::new().with("r-1", days(300)).with("r-2", days(300)).with("r-3", days(300));
        let began = town.now;
        let mut told = Told::of(town);
        for _ in 0..2 {
            told.town.fail(Reason::Denied);
            told.town.wait(TimeDelta::minutes(1));
            told.next();
        }
        assert_eq!(told.next(), "prod warning", "{name}");
        go(&mut told.town, step, began);
        assert_eq!(told.next(), want, "{name}");
    }
}

#[test]
fn a_blind_source_takes_the_way_of_its_route() {
    for (name, expression, open) in [
        ("of its account", r#"cloud_account="prod""#, 1),
        ("of another", r#"cloud_account="other""#, 0),
        ("of certificates", r#"type="certificate.expiring""#, 0),
    ] {
        let mut town = Town::new().with("r-1", days(300));
        town.routing.channels.push(ChannelRules { replica: true, ..channel("state") });
        town.routing.routes = vec![route(expression, &["state"]), route("", &["chat"])];
        for _ in 0..2 {
            town.fail(Reason::Denied);
            town.wait(TimeDelta::minutes(1)).evaluate();
        }
        assert_eq!(town.state("state", None).open.len(), open, "{name}");
    }
}

#[test]
fn what_is_believed_goes_on_after_a_restart_of_the_loop() {
    // the state outlives a configuration that is read anew; what is believed is in it
    let town = Town::new().with("r-1", days(5));
    let end = town.now + days(365);
    let mut told = Told::of(town);
    told.town.wait(TimeDelta::hours(1)).read("r-1", end);
    told.next();
    assert_ne!(told.state.believed, State::default().believed);
    let by = |state: &State| match &state.ended[0].how {
        How::Renewed { by, .. } => *by,
        other => panic!("{other:?}"),
    };
    told.town.wait(TimeDelta::hours(1)).read("r-1", end);
    told.next();
    assert_eq!(by(&told.state), By::External);
    assert!(!matches!(told.state.ended[0].how, How::Gone(Gone::NotListed)));
}
