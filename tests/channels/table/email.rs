use notafter::notifier::Refusal;
use notafter::sim::receivers::{Answer, Request};

use super::{Channel, Code, Far, Want};

pub(super) fn entries() -> Vec<Channel> {
    vec![Channel {
        settings: "host = \"{host}\"\nport = {port}\ntls = \"none\"\n\
                   username = \"notafter\"\npassword = \"PLANTED-PASSWORD-4711\"\n\
                   from = \"notafter <notafter@example.com>\"\n\
                   to = [\"dba@example.com\", \"运维 <ops@example.com>\"]\n",
        secrets: &["PLANTED-PASSWORD-4711"],
        // No limit is known; 200 rows with long names, in base64.
        budget: 1024 * 1024,
        most_requests: 2,
        codes: codes(),
        same: message_id,
        fresh: date,
        ..Channel::new("email", Far::Mail("notafter", "PLANTED-PASSWORD-4711"))
    }]
}

fn message_id(request: &Request) -> Vec<String> {
    request.header("message-id").map(str::to_owned).into_iter().collect()
}

fn date(request: &Request) -> Vec<String> {
    request.header("date").map(str::to_owned).into_iter().collect()
}

/// What is said to the mail itself; what is said before is in `mail.rs`.
fn codes() -> Vec<Code> {
    let code =
        |name, status, text: &'static str, want| Code::new(name, Answer::refused(status, "", text), want);
    vec![
        code("421", 421, "4.3.2 shutting down", Want::Retry),
        code("451", 451, "4.7.1 greylisted, come back in 300 seconds", Want::Retry),
        code("452", 452, "4.2.2 mailbox full", Want::Retry),
        code("552", 552, "5.3.4 message too big", Want::Refused(Refusal::Content)),
        code("554", 554, "5.7.1 looks like spam", Want::Refused(Refusal::Content)),
        code("530", 530, "5.7.0 authentication required", Want::Refused(Refusal::Credentials)),
        code("550, everybody", 550, "5.1.1 no such user", Want::Refused(Refusal::Target)),
    ]
}
