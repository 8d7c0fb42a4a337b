//! Windows of renewals beside each other on one line of time, with the end of each certificate.

use chrono::{DateTime, TimeDelta, Utc};

use super::order::resource_link;
use super::renewals::NAME;
use super::words::fill;
use crate::domain::renewal::board::Board;
use crate::visible::shortened;
use crate::web::context::PageContext;
use crate::web::planned::{Entry, entries};

/// The most lanes.
const LANES: usize = 12;
/// The line is no longer than this.
const LONGEST: TimeDelta = TimeDelta::days(60);
/// And no shorter.
const SHORTEST: TimeDelta = TimeDelta::days(4);
/// Days that are named along the line.
const MARKS: i32 = 4;

/// Renewals that have a window, on one line of time.
#[derive(Debug)]
pub struct Timeline {
    /// Days, by their place in hundredths.
    pub marks: Vec<(String, String)>,
    /// What begins first stands first.
    pub lanes: Vec<Lane>,
}

/// One renewal.
#[derive(Debug)]
pub struct Lane {
    /// Of the resource.
    pub name: String,
    /// To its page.
    pub link: String,
    /// Of the window: begin and width, in hundredths.
    pub window: (String, String),
    /// The end of the certificate.
    pub end: String,
    /// It ends behind the end of the line.
    pub beyond: bool,
    /// All of it in words.
    pub title: String,
}

/// Draws them; `None`: there is nothing to draw.
pub fn timeline(board: &Board, now: DateTime<Utc>, context: &PageContext<'_>) -> Option<Timeline> {
    let windowed = entries(board).filter_map(|entry| {
        let step = entry.step?;
        let window = step.planned.filter(|window| window.end > now)?;
        step.rule?;
        Some((window, entry))
    });
    let mut found: Vec<_> = windowed.collect();
    found.sort_by_key(|(window, entry)| (window.begin, entry.not_after()));
    found.truncate(LANES);
    let ends = found.iter().flat_map(|(window, entry)| [Some(window.end), entry.not_after()]).flatten();
    let length = (ends.max()? - now).clamp(SHORTEST, LONGEST) * 21 / 20;
    let place = |at: DateTime<Utc>| hundredths(at - now, length);
    let lane = |(window, entry): &(crate::domain::renewal::window::Span, Entry<'_>)| {
        let key = entry.resource()?;
        let name = entry.step.map(|step| &*step.name).filter(|name| !name.is_empty());
        let name = shortened(name.unwrap_or(&key.resource_id), NAME).into_owned();
        let end = entry.not_after()?;
        let words = context.tongue.words;
        let [from, to, over] = [window.begin, window.end, end].map(|at| at.format("%m-%d %H:%M").to_string());
        Some(Lane {
            title: format!(
                "{name}: {from} – {to} UTC; {}",
                fill(words.more.ended_at, &[&format!("{over} UTC")])
            ),
            name,
            link: context.tongue.keep(resource_link(key)),
            window: (place(window.begin.max(now)), hundredths(window.end - window.begin.max(now), length)),
            beyond: end - now > length,
            end: place(end),
        })
    };
    let mark = |number: i32| {
        let at = now + length * number / MARKS;
        (place(at), at.format("%m-%d").to_string())
    };
    Some(Timeline { marks: (0..MARKS).map(mark).collect(), lanes: found.iter().filter_map(lane).collect() })
}

fn hundredths(part: TimeDelta, whole: TimeDelta) -> String {
    let share = part.num_minutes().clamp(0, whole.num_minutes()) * 10_000 / whole.num_minutes().max(1);
    format!("{}.{:02}%", share / 100, share % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::moment;
    use crate::web::context::testing::plain_context;
    use crate::web::testing::renewals::board;

    #[test]
    fn every_window_has_a_lane_within_the_line() {
        let drawn = timeline(&board(), moment(), &plain_context()).expect("windows");
        assert!(!drawn.lanes.is_empty() && drawn.marks.len() == 4);
        for lane in &drawn.lanes {
            let value = |text: &str| text.trim_end_matches('%').parse::<f64>().expect("a number");
            let (from, width) = (value(&lane.window.0), value(&lane.window.1));
            assert!(from >= 0.0 && from + width <= 100.1 && value(&lane.end) <= 100.0, "{lane:?}");
            assert!(lane.link.starts_with("resource?id="), "{lane:?}");
        }
        assert!(timeline(&Board::default(), moment(), &plain_context()).is_none());
    }
}
