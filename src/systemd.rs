//! The service manager: what it is told (sd_notify(3)), how often it wants to hear that all is well, and the sockets that
//! it opened for us (sd_listen_fds(3)).
//!
//! One datagram for each word, to the socket that `$NOTIFY_SOCKET` names. Without one nothing is said. What cannot be
//! said is told in the log once: nobody may die of it. Knows nothing of the daemon; when to say what is up to the caller.

use std::io;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use listenfd::ListenFd;
use rustix::time::{ClockId, clock_gettime};

/// A service manager that does not read holds nobody up for longer.
const PATIENCE: Duration = Duration::from_millis(200);
/// The name of sockets for the web port, as `FileDescriptorName=` says.
const WEB: &str = "web";
/// The name that they have when nobody gives them one: that of their unit.
const UNIT: &str = "notafter.socket";

/// What there is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word<'a> {
    /// The start, or a reload, is done.
    Ready,
    /// The configuration is being read again.
    Reloading,
    /// The end has begun.
    Stopping,
    /// All is well.
    Watchdog,
    /// One short line for people.
    Status(&'a str),
}

impl Word<'_> {
    /// As it is sent. The manager wants the moment of a reload in the same datagram, on its own clock.
    fn text(self) -> String {
        match self {
            Self::Ready => "READY=1".to_owned(),
            Self::Reloading => format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_usec()),
            Self::Stopping => "STOPPING=1".to_owned(),
            Self::Watchdog => "WATCHDOG=1".to_owned(),
            Self::Status(text) => format!("STATUS={}", text.replace('\n', " ")),
        }
    }
}

/// The way to the service manager. Cheap to clone; the default leads nowhere.
#[derive(Debug, Clone, Default)]
pub struct Notify(Option<Arc<Way>>);

#[derive(Debug)]
struct Way {
    socket: UnixDatagram,
    address: SocketAddr,
    told: AtomicBool,
}

impl Notify {
    /// As `$NOTIFY_SOCKET` says: a path, or `@NAME` for one without a file. `env` answers for environment variables.
    pub fn from_env(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let Some(place) = env("NOTIFY_SOCKET").filter(|place| !place.is_empty()) else {
            return Self::default();
        };
        match Way::to(&place) {
            Ok(way) => Self(Some(Arc::new(way))),
            Err(error) => {
                tracing::warn!(%error, place, "the service manager cannot be told how the daemon fares");
                Self::default()
            }
        }
    }

    /// Whether anybody listens.
    pub fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Says one word.
    pub fn say(&self, word: Word<'_>) {
        let Some(way) = &self.0 else { return };
        match way.socket.send_to_addr(word.text().as_bytes(), &way.address) {
            Ok(_) => way.told.store(false, Ordering::Relaxed),
            Err(error) if !way.told.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, "the service manager does not hear how the daemon fares");
            }
            Err(_) => {}
        }
    }
}

impl Way {
    fn to(place: &str) -> io::Result<Self> {
        let address = match place.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(place)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket, address, told: AtomicBool::new(false) })
    }
}

/// Microseconds on the clock that the service manager compares with.
fn monotonic_usec() -> u128 {
    let now = clock_gettime(ClockId::Monotonic);
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    Duration::new(part(now.tv_sec), u32::try_from(now.tv_nsec).unwrap_or(0)).as_micros()
}

/// Within which time the service manager wants to hear [`Word::Watchdog`]; `None`: it does not. `env` answers for
/// environment variables.
pub fn watchdog(env: &dyn Fn(&str) -> Option<String>) -> Option<Duration> {
    let ours = env("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
    let micros: u64 = env("WATCHDOG_USEC").filter(|_| ours)?.parse().ok()?;
    (micros > 0).then(|| Duration::from_micros(micros))
}

/// Why a socket that was handed over cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("socket `{name}`, handed over by the service manager, is no listening TCP socket: {source}")]
pub struct SocketError {
    /// Its name.
    name: String,
    /// What is wrong.
    source: io::Error,
}

/// The sockets that were opened for the web port; empty: none were. To be called once, before anything else is started:
/// it takes the variables that announce them out of the environment.
///
/// # Errors
/// One of them is no TCP socket.
pub fn web_sockets(env: &dyn Fn(&str) -> Option<String>) -> Result<Vec<TcpListener>, SocketError> {
    let names = env("LISTEN_FDNAMES").unwrap_or_default();
    let names: Vec<&str> = names.split(':').collect();
    let mut passed = ListenFd::from_env();
    let mut sockets = Vec::new();
    for number in 0..passed.len() {
        let name = names.get(number).copied().filter(|name| !name.is_empty()).unwrap_or(UNIT);
        if name != WEB && name != UNIT {
            tracing::warn!(name, "a socket of this name was handed over, and is not used: `web` is known");
            continue;
        }
        let taken = passed.take_tcp_listener(number);
        let taken = taken.map_err(|source| SocketError { name: name.to_owned(), source })?;
        sockets.extend(taken);
    }
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).expect("a datagram");
        String::from_utf8(buffer[..length].to_vec()).expect("text")
    }

    #[test]
    fn every_word_is_one_datagram_at_a_path_and_at_a_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify").display().to_string();
        let name = format!("@notafter-test-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name[1..]).expect("a name");
        for (place, socket) in [
            (&path, UnixDatagram::bind(&path).expect("bound")),
            (&name, UnixDatagram::bind_addr(&abstract_name).expect("bound")),
        ] {
            let notify = Notify::from_env(&|wanted| (wanted == "NOTIFY_SOCKET").then(|| place.clone()));
            assert!(notify.is_wanted(), "{place}");
            for (word, want) in [
                (Word::Ready, "READY=1"),
                (Word::Stopping, "STOPPING=1"),
                (Word::Watchdog, "WATCHDOG=1"),
                (Word::Status("2 accounts\nREADY=1"), "STATUS=2 accounts READY=1"),
            ] {
                notify.say(word);
                assert_eq!(heard(&socket), want, "{place}");
            }
            let before = monotonic_usec();
            notify.say(Word::Reloading);
            let text = heard(&socket);
            let at = text.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("both in one");
            assert!((before..=monotonic_usec()).contains(&at.parse().expect("a number")), "{text}");
        }
    }

    #[test]
    fn a_manager_that_went_away_is_no_reason_to_end() {
        let notify = Notify::from_env(&|_| Some("/no/such/socket".to_owned()));
        notify.say(Word::Ready);
        notify.say(Word::Ready);
        assert!(!Notify::from_env(&|_| None).is_wanted());
    }

    #[test]
    fn the_watchdog_is_meant_for_this_process() {
        let own = std::process::id().to_string();
        for (name, micros, pid, want) in [
            ("off", None, None, None),
            ("for everybody", Some("60000000"), None, Some(60)),
            ("for us", Some("60000000"), Some(own.as_str()), Some(60)),
            ("for our parent", Some("60000000"), Some("1"), None),
            ("nonsense", Some("soon"), None, None),
            ("never", Some("0"), None, None),
        ] {
            let env = |wanted: &str| match wanted {
                "WATCHDOG_USEC" => micros.map(str::to_owned),
                "WATCHDOG_PID" => pid.map(str::to_owned),
                _ => None,
            };
            assert_eq!(watchdog(&env), want.map(Duration::from_secs), "{name}");
        }
    }
}
