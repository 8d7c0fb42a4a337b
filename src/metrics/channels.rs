//! What is known of the channels: whether they deliver, and what waits for them.

use bytes::BytesMut;

use super::catalogue::{CHANNEL_PLACES_DOWN, CHANNEL_UP, NOTIFICATION_LAST_SUCCESS, OUTBOX_MESSAGES};
use super::{ChannelNumbers, text};

/// Values of the label `state` of messages.
pub(super) const STATES: [&str; 2] = ["queued", "dead"];

/// Writes the gauges of the channels.
pub(super) fn write(out: &mut BytesMut, channels: &[ChannelNumbers]) {
    text::header(out, &CHANNEL_UP);
    for channel in channels {
        if let Some(up) = channel.up {
            text::sample(out, CHANNEL_UP.name, &labels(channel), |out| text::boolean(out, up));
        }
    }
    text::header(out, &CHANNEL_PLACES_DOWN);
    for channel in channels {
        if let Some(down) = channel.down {
            let name = CHANNEL_PLACES_DOWN.name;
            text::sample(out, name, &labels(channel), |out| text::integer(out, down as u64));
        }
    }
    text::header(out, &NOTIFICATION_LAST_SUCCESS);
    for channel in channels {
        if let Some(at) = channel.last_success {
            let name = NOTIFICATION_LAST_SUCCESS.name;
            text::sample(out, name, &labels(channel), |out| text::timestamp(out, at));
        }
    }
    text::header(out, &OUTBOX_MESSAGES);
    for channel in channels {
        for (state, count) in STATES.into_iter().zip([channel.queued, channel.dead]) {
            let labels = [("channel", &*channel.name), ("state", state)];
            text::sample(out, OUTBOX_MESSAGES.name, &labels, |out| text::integer(out, count as u64));
        }
    }
}

fn labels(channel: &ChannelNumbers) -> [(&'static str, &str); 1] {
    [("channel", &*channel.name)]
}
