//! The counted families as the text of the metrics page.

use std::collections::BTreeMap;

use prometheus::{Registry, TextEncoder};

/// Each family that has samples, in the text format of Prometheus.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Text(BTreeMap<String, String>);

impl Text {
    /// A family with its `# HELP` and `# TYPE`; `None` where nothing is counted yet.
    pub fn of(&self, family: &str) -> Option<&str> {
        self.0.get(family).map(String::as_str)
    }

    /// The numbers as they are now.
    pub(super) fn read(registry: &Registry) -> Self {
        let families = registry.gather().into_iter().map(|family| {
            let name = family.name().to_owned();
            let text = TextEncoder::new().encode_to_string(&[family]);
            (name, text.expect("a gathered family has a name and samples, and memory can be written"))
        });
        Self(families.collect())
    }
}
