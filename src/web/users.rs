//! Who is let in on the web port: HTTP Basic (RFC 7617) against bcrypt hashes.
//!
//! A check with bcrypt costs a good part of a tenth of a second, so what was right once is remembered by a keyed digest,
//! and a scrape pays for it only the first time. Checks run one at a time beside the runtime, a wrong one is followed by
//! a rest, those who wait are few, and each peer may err so often (`guesses`): whoever guesses gets neither in nor a
//! processor to himself, and those who were right before are not held up. Somebody who is not known costs as much as
//! somebody who is. Neither passwords nor what stands in their place are ever logged.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use axum::http::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Extensions, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, error, warn};

use super::answers::problem;
use super::guesses::Guesses;
use super::peer::Peer;
use crate::secret::Secret;

/// These are answered to everybody: whoever looks after the process has no password.
const OPEN: [&str; 2] = ["/-/healthy", "/-/ready"];
/// So many wait for a check; who comes then is sent away for a moment.
const QUEUE: usize = 16;
/// A check that does not begin within this is given up.
const PATIENCE: Duration = Duration::from_secs(10);
/// After a wrong password nothing is checked for so many times as long as the check took: guesses of everybody together
/// take a quarter of one processor.
const REST: u32 = 3;
/// bcrypt looks at so many bytes of a password.
const LENGTH: usize = 72;

/// The name of the user that a request comes from; stands among its extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UserName(pub(super) Arc<str>);

/// Names and hashes, and what is remembered of checks. With nobody in it, nobody is asked.
pub struct Users {
    known: RwLock<Arc<[User]>>,
    /// Of this process alone.
    key: hmac::Key,
    checks: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    guesses: Mutex<Guesses>,
}

/// One who may come in.
struct User {
    name: Arc<str>,
    hash: Secret,
    /// Stands for the password that was right.
    right: Mutex<Option<hmac::Tag>>,
}

/// Name and password of a request.
struct Login {
    text: Zeroizing<Vec<u8>>,
    colon: usize,
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outside {
    /// Nothing was said, or nothing that is understood.
    Unnamed,
    /// Not the password of anybody of that name.
    Wrong,
    /// Too many wrong ones from there; the time until the next one is checked.
    Throttled(Duration),
    /// Too many checks wait already.
    Busy,
}

impl Users {
    /// Names and bcrypt hashes, which were checked for their form.
    pub fn new<'a>(users: impl IntoIterator<Item = (&'a str, &'a Secret)>) -> Self {
        let known = RwLock::new(known(users));
        let (checks, queue) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(QUEUE)));
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        let key = key.expect("the system has random numbers");
        Self { known, key, checks, queue, guesses: Mutex::default() }
    }

    /// Others from now on; passwords that were checked are checked again.
    pub fn replace<'a>(&self, users: impl IntoIterator<Item = (&'a str, &'a Secret)>) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known(users);
    }

    /// Whether nobody is asked.
    pub fn is_empty(&self) -> bool {
        self.known().is_empty()
    }

    /// Lets a request in, with the name of who sends it among its extensions, or says why not. What is handed on no
    /// longer has the password.
    pub(super) async fn admit(
        self: &Arc<Self>,
        path: &str,
        headers: &mut HeaderMap,
        extensions: &mut Extensions,
        peer: Peer,
    ) -> Result<(), Response> {
        let said = headers.remove(AUTHORIZATION);
        if OPEN.contains(&path) {
            return Ok(());
        }
        let known = self.known();
        if known.is_empty() {
            return Ok(());
        }
        let name = match said.as_ref().and_then(Login::read) {
            None => Err(Outside::Unnamed),
            Some(login) => self.check(&known, login, peer).await,
        };
        extensions.insert(UserName(name.map_err(Outside::answer)?));
        Ok(())
    }

    async fn check(
        self: &Arc<Self>,
        known: &Arc<[User]>,
        login: Login,
        peer: Peer,
    ) -> Result<Arc<str>, Outside> {
        let claimed = known.iter().position(|user| user.name.as_bytes() == login.name());
        if let Some(user) = claimed.map(|place| &known[place])
            && user.was_right(&self.tag(user, &login))
        {
            return Ok(Arc::clone(&user.name));
        }
        self.guesses().take(peer, Instant::now()).map_err(|wait| {
            debug!(%peer, "passwords from there are not checked for a while: too many were wrong");
            Outside::Throttled(wait)
        })?;
        let outcome = self.check_once(known, claimed, login).await;
        match outcome {
            Ok(_) | Err(Outside::Busy) => self.guesses().give_back(peer),
            Err(_) => warn!(%peer, "a wrong user name or password"),
        }
        outcome
    }

    /// In its turn, which is not given up when whoever asked goes away: it was begun.
    async fn check_once(
        self: &Arc<Self>,
        known: &Arc<[User]>,
        claimed: Option<usize>,
        login: Login,
    ) -> Result<Arc<str>, Outside> {
        let _place = self.queue.try_acquire().map_err(|_| Outside::Busy)?;
        let turn = timeout(PATIENCE, Arc::clone(&self.checks).acquire_owned()).await;
        let turn = turn.map_err(|_| Outside::Busy)?.expect("the semaphore is never closed");
        let (users, known) = (Arc::clone(self), Arc::clone(known));
        let checked = tokio::spawn(async move {
            let begun = Instant::now();
            let outcome = spawn_blocking(move || users.compare(&known, claimed, &login)).await;
            let outcome = outcome.unwrap_or(Err(Outside::Wrong));
            if outcome.is_err() {
                let rest = begun.elapsed() * REST;
                tokio::spawn(async move {
                    sleep(rest).await;
                    drop(turn);
                });
            }
            outcome
        });
        checked.await.unwrap_or(Err(Outside::Wrong))
    }

    fn compare(&self, known: &[User], claimed: Option<usize>, login: &Login) -> Result<Arc<str>, Outside> {
        // Somebody unknown is compared with one of the known, always the same one, and turned away whatever comes out.
        let user = &known[claimed.unwrap_or_else(|| self.decoy(login.name(), known.len()))];
        let tag = self.tag(user, login);
        if claimed.is_some() && user.was_right(&tag) {
            return Ok(Arc::clone(&user.name)); // another request has been here in the meantime
        }
        let right = bcrypt::verify(login.password(), user.hash.expose()).unwrap_or_else(|_| {
            error!(user = &*user.name, "the hash of a user cannot be used: nobody gets in by that name");
            false
        });
        if !right || claimed.is_none() {
            return Err(Outside::Wrong);
        }
        *user.right() = Some(tag);
        Ok(Arc::clone(&user.name))
    }

    fn decoy(&self, name: &[u8], count: usize) -> usize {
        let digest = hmac::sign(&self.key, name);
        usize::from(digest.as_ref()[0]) % count
    }

    /// Stands for a password of a user in this process.
    fn tag(&self, user: &User, login: &Login) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(user.hash.expose().as_bytes());
        context.update(&[0]);
        context.update(login.password());
        context.sign()
    }

    fn known(&self) -> Arc<[User]> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn guesses(&self) -> MutexGuard<'_, Guesses> {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Users {
    fn default() -> Self {
        Self::new([])
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").finish_non_exhaustive()
    }
}

impl User {
    fn was_right(&self, tag: &hmac::Tag) -> bool {
        self.right()
            .as_ref()
            .is_some_and(|right| verify_slices_are_equal(right.as_ref(), tag.as_ref()).is_ok())
    }

    fn right(&self) -> MutexGuard<'_, Option<hmac::Tag>> {
        self.right.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Login {
    fn read(header: &HeaderValue) -> Option<Self> {
        let (scheme, packed) = header.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = Zeroizing::new(STANDARD.decode(packed.trim()).ok()?);
        let colon = text.iter().position(|byte| *byte == b':')?;
        Some(Self { text, colon })
    }

    fn name(&self) -> &[u8] {
        &self.text[..self.colon]
    }

    /// As much of it as counts.
    fn password(&self) -> &[u8] {
        let password = &self.text[self.colon + 1..];
        &password[..password.len().min(LENGTH)]
    }
}

impl Outside {
    fn answer(self) -> Response {
        let (status, detail) = match self {
            Self::Unnamed => {
                (StatusCode::UNAUTHORIZED, "a user name and a password are needed here (HTTP Basic)")
            }
            Self::Wrong => (StatusCode::UNAUTHORIZED, "wrong user name or password"),
            Self::Throttled(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "too many wrong passwords came from there; the header Retry-After says when the next one is checked",
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "too many passwords are being checked; try again in a moment",
            ),
        };
        let header = match self {
            Self::Unnamed | Self::Wrong => {
                (WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"notafter\", charset=\"UTF-8\""))
            }
            Self::Throttled(wait) => (RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1)),
            Self::Busy => (RETRY_AFTER, HeaderValue::from(1)),
        };
        ([header], problem(status, detail)).into_response()
    }
}

fn known<'a>(users: impl IntoIterator<Item = (&'a str, &'a Secret)>) -> Arc<[User]> {
    let user = |(name, hash): (&str, &Secret)| User {
        name: name.into(),
        hash: hash.clone(),
        right: Mutex::default(),
    };
    users.into_iter().map(user).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRONG: u16 = 401;

    /// Made with libxcrypt.
    const KNOWN: [(&str, &str); 3] = [
        ("wonderland", "$2y$04$7a3HDiVqxrYZYJTBRAXZ3un8ti0mctBseTHLt2VcafENFFc3eG3Di"),
        ("p\u{e4}ss:wort", "$2a$04$7a3HDiVqxrYZYJTBRAXZ3uDv2oGRJTwpMGAIBobMJ5vMyQGsUjcDK"),
        (
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "$2b$04$7a3HDiVqxrYZYJTBRAXZ3u7OvY5h0EP0ym50LZWiLiND09BU0nCBa",
        ),
    ];

    fn hash(password: &str) -> Secret {
        Secret::new(bcrypt::hash(password, 4).expect("a hash"))
    }

    #[tokio::test]
    async fn hashes_of_other_programs_are_understood() {
        for (password, hash) in KNOWN {
            let users = Arc::new(Users::new([("alice", &Secret::new(hash))]));
            let said = basic(&format!("alice:{password}"));
            assert_eq!(ask(&users, "/", Some(&said), peer(1)).await, Ok(Some("alice".to_owned())), "{hash}");
            assert_eq!(ask(&users, "/", Some(&basic("alice:")), peer(1)).await, Err(WRONG), "{hash}");
        }
    }

    fn users() -> Arc<Users> {
        let (alice, bob) = (hash("wonderland"), hash("builder:1"));
        Arc::new(Users::new([("alice", &alice), ("bob", &bob)]))
    }

    fn basic(login: &str) -> String {
        format!("Basic {}", STANDARD.encode(login))
    }

    /// The name that got in, or the status.
    async fn ask(
        users: &Arc<Users>,
        path: &str,
        said: Option<&str>,
        peer: Peer,
    ) -> Result<Option<String>, u16> {
        let (mut headers, mut extensions) = (HeaderMap::new(), Extensions::new());
        if let Some(said) = said {
            headers.insert(AUTHORIZATION, HeaderValue::from_str(said).expect("a header"));
        }
        let admitted = users.admit(path, &mut headers, &mut extensions, peer).await;
        assert!(headers.is_empty(), "the password goes no further");
        admitted.map_err(|answer| answer.status().as_u16())?;
        Ok(extensions.get::<UserName>().map(|UserName(name)| name.to_string()))
    }

    fn peer(number: u8) -> Peer {
        Peer::of([192, 0, 2, number].into())
    }

    #[tokio::test]
    async fn users_get_in_and_others_do_not() {
        let users = users();
        let long = format!("alice:wonderland{}", "x".repeat(100));
        for (number, (said, want)) in [
            (Some(basic("alice:wonderland")), Ok(Some("alice"))),
            (Some(basic("alice:wonderland").replace("Basic ", "bAsIc  ")), Ok(Some("alice"))),
            (Some(basic("bob:builder:1")), Ok(Some("bob"))),
            (None, Err(WRONG)),
            (Some(basic("alice:Wonderland")), Err(WRONG)),
            (Some(basic("alice:")), Err(WRONG)),
            (Some(basic("alice")), Err(WRONG)),
            (Some(basic("")), Err(WRONG)),
            (Some(basic(":wonderland")), Err(WRONG)),
            (Some(basic("Alice:wonderland")), Err(WRONG)),
            (Some(basic("bob:wonderland")), Err(WRONG)),
            (Some(basic("nobody:wonderland")), Err(WRONG)),
            (Some(basic(&long)), Err(WRONG)),
            (Some("Basic !".to_owned()), Err(WRONG)),
            (Some("Bearer YWxpY2U6d29uZGVybGFuZA==".to_owned()), Err(WRONG)),
            (Some("Basic".to_owned()), Err(WRONG)),
        ]
        .into_iter()
        .enumerate()
        {
            let got = ask(&users, "/", said.as_deref(), peer(u8::try_from(number).expect("few"))).await;
            assert_eq!(got, want.map(|name| name.map(str::to_owned)), "{said:?}");
        }
    }

    #[tokio::test]
    async fn some_paths_are_open_and_without_users_all_are() {
        let users = users();
        for path in OPEN {
            assert_eq!(ask(&users, path, Some("Basic !"), peer(1)).await, Ok(None), "{path}");
        }
        for path in ["/", "/metrics", "/-/healthy/", "/-/reload", "/%2d/healthy", "//-/healthy"] {
            assert_eq!(ask(&users, path, None, peer(1)).await, Err(WRONG), "{path}");
        }
        assert_eq!(ask(&Arc::default(), "/", None, peer(1)).await, Ok(None));
    }

    #[tokio::test]
    async fn who_was_right_before_gets_in_while_others_guess_and_is_checked_again_when_users_change() {
        let users = users();
        let (alice, guess) = (basic("alice:wonderland"), basic("alice:x"));
        assert!(ask(&users, "/", Some(&alice), peer(1)).await.is_ok());
        let mut seen = Vec::new();
        for _ in 0..12 {
            seen.push(ask(&users, "/", Some(&guess), peer(1)).await);
        }
        assert_eq!((seen[0].clone(), seen[9].clone()), (Err(WRONG), Err(WRONG)));
        assert_eq!((seen[10].clone(), seen[11].clone()), (Err(429), Err(429)));
        assert!(ask(&users, "/", Some(&alice), peer(1)).await.is_ok(), "nothing has to be checked");
        assert_eq!(ask(&users, "/", Some(&basic("bob:builder:1")), peer(1)).await, Err(429));
        assert!(ask(&users, "/", Some(&basic("bob:builder:1")), peer(2)).await.is_ok(), "from elsewhere");
        users.replace([("alice", &hash("other"))]);
        assert_eq!(ask(&users, "/", Some(&alice), peer(3)).await, Err(WRONG));
        assert!(ask(&users, "/", Some(&basic("alice:other")), peer(3)).await.is_ok());
    }

    #[tokio::test]
    async fn few_wait_for_a_check_and_being_sent_away_costs_no_guess() {
        let users = users();
        let turn = Arc::clone(&users.checks).acquire_owned().await.expect("free");
        let mut asking = tokio::task::JoinSet::new();
        for number in 0..QUEUE + 5 {
            let users = Arc::clone(&users);
            let peer = peer(u8::try_from(number).expect("few"));
            asking.spawn(async move { ask(&users, "/", Some(&basic("alice:wonderland")), peer).await });
        }
        for _ in 0..5 {
            assert_eq!(asking.join_next().await.expect("one").expect("ended"), Err(503));
        }
        drop(turn);
        while let Some(asked) = asking.join_next().await {
            assert_eq!(asked.expect("ended"), Ok(Some("alice".to_owned())));
        }
        assert_eq!(ask(&users, "/", Some(&basic("alice:x")), peer(1)).await, Err(WRONG));
    }

    #[test]
    fn nothing_shows_a_user() {
        let users = users();
        assert_eq!(format!("{users:?}"), "Users { .. }");
    }
}
