//! The small part of INI that the clouds' credential files use. A value is a secret, and no error repeats a line.

use std::collections::BTreeMap;

use crate::secret::Secret;

/// The sections of a file, and their keys in small letters.
#[derive(Debug, Default)]
pub struct Ini(BTreeMap<String, BTreeMap<String, Secret>>);

/// A line that is none of INI, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {0} is neither a section in brackets nor `key = value`")]
pub struct IniError(usize);

impl Ini {
    /// Reads a file. `comments_after_values`: a value ends at its first `#`, as one vendor's SDK has it.
    ///
    /// # Errors
    /// A line is neither blank, comment, section nor key.
    pub fn parse(text: &str, comments_after_values: bool) -> Result<Self, IniError> {
        let mut ini = Self::default();
        let mut section = String::new();
        for (number, line) in text.trim_start_matches('\u{feff}').lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                name.trim().clone_into(&mut section);
                ini.0.entry(section.clone()).or_default();
                continue;
            }
            let (key, value) = line.split_once('=').ok_or(IniError(number + 1))?;
            let end = value.find('#').filter(|_| comments_after_values).unwrap_or(value.len());
            let (key, value) = (key.trim().to_ascii_lowercase(), value[..end].trim());
            ini.0.entry(section.clone()).or_default().insert(key, Secret::new(value));
        }
        Ok(ini)
    }

    /// Whether there is a section of this name.
    pub fn has(&self, section: &str) -> bool {
        self.0.contains_key(section)
    }

    /// The value of a key; an empty one counts as missing.
    pub fn secret(&self, section: &str, key: &str) -> Option<Secret> {
        let value = self.0.get(section)?.get(key)?;
        (!value.expose().is_empty()).then(|| value.clone())
    }

    /// The same, where it is no secret.
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.0.get(section)?.get(key).map(Secret::expose).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\u{feff}# a comment\n; another\nouter = 0\n\n[ default ]\r\nType = access_key\n\
                        id=a=b#c\nempty =\n[other]\nid = x\nid = y\n";

    #[test]
    fn sections_keys_and_values_are_found() {
        let ini = Ini::parse(TEXT, true).unwrap();
        for (section, key, want) in [
            ("", "outer", Some("0")),
            ("default", "type", Some("access_key")),
            ("default", "id", Some("a=b")),
            ("default", "empty", None),
            ("default", "no", None),
            ("other", "id", Some("y")),
            ("no", "id", None),
        ] {
            assert_eq!(ini.get(section, key), want, "[{section}] {key}");
            assert_eq!(ini.secret(section, key).as_ref().map(Secret::expose), want, "[{section}] {key}");
        }
        assert!(ini.has("default") && !ini.has("no"));
        assert_eq!(Ini::parse(TEXT, false).unwrap().get("default", "id"), Some("a=b#c"));
    }

    #[test]
    fn a_line_that_is_no_ini_is_named_by_its_number_only() {
        let error = Ini::parse("[a]\nHUNTER2\n", false).unwrap_err();
        assert_eq!(error.to_string(), "line 2 is neither a section in brackets nor `key = value`");
        assert!(!format!("{:?}", Ini::parse("a = HUNTER2", false)).contains("HUNTER2"));
    }
}
