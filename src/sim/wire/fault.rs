//! What can go wrong on purpose, where, and how often: the same for every simulated cloud. Each says in its own words
//! what some of it means (throttling, a region out of service), and leaves out what it has not got.

use std::borrow::Cow;

use bytes::Bytes;
use chrono::TimeDelta;

/// A way in which an answer goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A gateway's page in HTML.
    Html {
        /// HTTP status, 200 included.
        status: u16,
    },
    /// Status 200 and no byte of body.
    EmptyBody,
    /// Half of the body, though all of it was announced; then the connection ends.
    CutBody,
    /// Bytes that are no text.
    Garbage,
    /// JSON in which things have another type.
    WrongTypes(WrongType),
    /// A body that never ends.
    EndlessBody {
        /// Compressed a thousandfold.
        gzip: bool,
    },
    /// Status 302 to this place.
    Redirect {
        /// The value of `location`.
        to: String,
    },
    /// The right answer in another encoding of text.
    WrongCharset(Charset),
    /// The connection stays open, and not all of the answer comes.
    Hang(Hang),
    /// The connection is reset.
    Reset(Reset),
    /// An error of the server.
    Status {
        /// HTTP status.
        status: u16,
        /// With the usual JSON; otherwise empty.
        json: bool,
    },
    /// Too many calls, whatever the quota says.
    Throttle {
        /// Sent as `x-acs-retry-after`.
        retry_after_ms: Option<u64>,
    },
    /// The cloud's clock is off by this much.
    ClockOff(TimeDelta),
    /// The region is out of service.
    RegionRefused,
    /// A row comes on two pages, since one came in front meanwhile.
    DuplicateRows,
    /// A row comes on no page, since an earlier one went meanwhile; from the second page on the total is one less.
    VanishingRows,
    /// The total is wrong.
    LyingTotals(Total),
    /// The same `NextToken` comes again and again.
    NextTokenLoop,
    /// Numbers that say whether all went well come as text.
    TextCodes,
    /// `code`, `message`, `requestId` instead of `Code`, `Message`, `RequestId`.
    LowercaseKeys,
    /// This very answer.
    Custom {
        /// HTTP status.
        status: u16,
        /// Headers; a `content-type` here replaces the usual one.
        headers: Vec<(String, String)>,
        /// Body.
        body: Bytes,
    },
}

/// Which type is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongType {
    /// The whole answer is a list.
    ListForAnswer,
    /// A list where an object is due, at every place within the answer.
    ListForObject,
    /// A number where a text is due.
    NumberForString,
    /// `null` for every member.
    NullEverywhere,
}

/// An encoding that is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// What older systems in China write.
    Gbk,
    /// Two bytes a character, with a byte order mark.
    Utf16,
}

/// How far an answer comes before it hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hang {
    /// Nothing comes.
    NoAnswer,
    /// Status and headers come.
    HeadOnly,
    /// The body comes at a byte a second.
    Drip,
}

/// When a connection is reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// Instead of an answer.
    BeforeAnswer,
    /// Just after a good answer, while the client keeps the connection for later.
    KeptConnection,
}

/// In which way a total is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    /// Half of the truth.
    TooSmall,
    /// A thousand more than the truth.
    TooLarge,
    /// Missing.
    Absent,
    /// Minus one.
    Negative,
}

impl Fault {
    /// The name under which the call log has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Html { .. } => "html",
            Self::EmptyBody => "empty body",
            Self::CutBody => "cut body",
            Self::Garbage => "garbage",
            Self::WrongTypes(_) => "wrong types",
            Self::EndlessBody { .. } => "endless body",
            Self::Redirect { .. } => "redirect",
            Self::WrongCharset(_) => "wrong charset",
            Self::Hang(_) => "hang",
            Self::Reset(_) => "reset",
            Self::Status { .. } => "status",
            Self::Throttle { .. } => "throttle",
            Self::ClockOff(_) => "clock off",
            Self::RegionRefused => "region refused",
            Self::DuplicateRows => "duplicate rows",
            Self::VanishingRows => "vanishing rows",
            Self::LyingTotals(_) => "lying totals",
            Self::NextTokenLoop => "next token loop",
            Self::TextCodes => "text codes",
            Self::LowercaseKeys => "lowercase keys",
            Self::Custom { .. } => "custom",
        }
    }

    /// How far it puts the cloud's clock off.
    pub(in crate::sim) fn clock_error(&self) -> TimeDelta {
        if let Self::ClockOff(error) = self { *error } else { TimeDelta::zero() }
    }

    /// What it does between two pages.
    pub(in crate::sim) fn drift(&self) -> Option<Drift> {
        match self {
            Self::DuplicateRows => Some(Drift::Duplicate),
            Self::VanishingRows => Some(Drift::Vanish),
            Self::NextTokenLoop => Some(Drift::TokenLoop),
            _ => None,
        }
    }
}

/// What goes wrong between two pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) enum Drift {
    /// A row came in front: the last row of a page is the first of the next one, too.
    Duplicate,
    /// A row of an earlier page went: the next page begins one row late, and the total is one less.
    Vanish,
    /// The token of the first page comes again and again.
    TokenLoop,
}

/// What a call is about, as far as faults tell calls apart.
pub(in crate::sim) struct Aim<'a> {
    /// Name of the call.
    pub(in crate::sim) action: &'a str,
    /// Region asked for, or in which the instance is.
    pub(in crate::sim) region: &'a str,
    /// Instance asked for; empty where none is.
    pub(in crate::sim) resource: &'a str,
    /// Access key id that the request claims to come from.
    pub(in crate::sim) key_id: &'a str,
}

/// Which calls a fault meets: those that fit everything that is named. `Where::default()` is everywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Where {
    /// Name of the call.
    pub action: Option<Cow<'static, str>>,
    /// Region id.
    pub region: Option<String>,
    /// Id of the instance.
    pub resource: Option<String>,
    /// Access key id.
    pub key: Option<String>,
}

impl Where {
    /// Calls of this name.
    pub fn action(name: impl Into<Cow<'static, str>>) -> Self {
        Self { action: Some(name.into()), ..Self::default() }
    }

    /// Calls about this instance.
    pub fn resource(id: &str) -> Self {
        Self { resource: Some(id.to_owned()), ..Self::default() }
    }

    /// Calls about this region.
    pub fn region(id: &str) -> Self {
        Self { region: Some(id.to_owned()), ..Self::default() }
    }

    /// Calls by this key.
    pub fn key(id: &str) -> Self {
        Self { key: Some(id.to_owned()), ..Self::default() }
    }

    fn fits(&self, aim: &Aim<'_>) -> bool {
        let same = |wanted: Option<&str>, is: &str| wanted.is_none_or(|wanted| wanted == is);
        same(self.action.as_deref(), aim.action)
            && same(self.region.as_deref(), aim.region)
            && same(self.resource.as_deref(), aim.resource)
            && same(self.key.as_deref(), aim.key_id)
    }
}

/// The faults that are under way, in the order in which they were injected.
#[derive(Default)]
pub(in crate::sim) struct Faults {
    planned: Vec<Planned>,
}

struct Planned {
    fault: Fault,
    place: Where,
    left: Option<u32>,
}

impl Faults {
    /// Adds a fault for so many calls, or for good.
    pub(in crate::sim) fn inject(&mut self, fault: Fault, place: Where, times: Option<u32>) {
        self.planned.push(Planned { fault, place, left: times });
    }

    /// Ends all faults.
    pub(in crate::sim) fn clear(&mut self) {
        self.planned.clear();
    }

    /// The first fault that meets this call; it has one time less left then.
    pub(in crate::sim) fn take(&mut self, aim: &Aim<'_>) -> Option<Fault> {
        let fits = |planned: &Planned| planned.left != Some(0) && planned.place.fits(aim);
        let at = self.planned.iter().position(fits)?;
        let planned = &mut self.planned[at];
        planned.left = planned.left.map(|left| left - 1);
        let fault = planned.fault.clone();
        if planned.left == Some(0) {
            self.planned.remove(at);
        }
        Some(fault)
    }
}
