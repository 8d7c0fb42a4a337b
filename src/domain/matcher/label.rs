//! What an expression can ask for, and where it may.

use std::fmt::{self, Write as _};

/// A name that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// Code of the cloud.
    CloudProvider,
    /// Name of the account as configured.
    CloudAccount,
    /// The cloud's id of the project.
    CloudProject,
    /// The cloud's id of the region.
    CloudRegion,
    /// Product of the cloud.
    CloudService,
    /// The cloud's id of the resource.
    ResourceId,
    /// `server`, `ca` or `chain`.
    CertRole,
    /// Display name of the resource.
    ResourceName,
    /// `true` or `false`: whether anything uses the certificate; absent where the cloud does not say.
    InUse,
    /// A tag of the resource, `tag:KEY`.
    Tag(Box<str>),
    /// A label of the account, `label:KEY`.
    AccountLabel(Box<str>),
    /// How bad an alert is.
    Severity,
    /// How close to its end a certificate is.
    Stage,
    /// What an alert tells, `certificate.expiring` for example.
    Type,
}

/// The labels that are one word.
pub(super) const WORDS: [(&str, Label); 12] = [
    ("cloud_provider", Label::CloudProvider),
    ("cloud_account", Label::CloudAccount),
    ("cloud_project", Label::CloudProject),
    ("cloud_region", Label::CloudRegion),
    ("cloud_service", Label::CloudService),
    ("resource_id", Label::ResourceId),
    ("resource_name", Label::ResourceName),
    ("cert_role", Label::CertRole),
    ("in_use", Label::InUse),
    ("severity", Label::Severity),
    ("stage", Label::Stage),
    ("type", Label::Type),
];

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(key) => write!(f, "tag:{}", Key(key)),
            Self::AccountLabel(key) => write!(f, "label:{}", Key(key)),
            word => {
                let name = WORDS.iter().find(|(_, label)| label == word).map(|(name, _)| *name);
                f.write_str(name.expect("every label without a key is a word"))
            }
        }
    }
}

impl Label {
    /// Whether it tells whole scopes apart, and not only the resources of one.
    pub fn is_of_scope(&self) -> bool {
        matches!(
            self,
            Self::CloudProvider
                | Self::CloudAccount
                | Self::CloudProject
                | Self::CloudRegion
                | Self::CloudService
                | Self::AccountLabel(_)
        )
    }
}

/// Which labels make sense where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelSet {
    certificate: bool,
    alert: bool,
}

impl LabelSet {
    /// Before anything was looked at: all but `cert_role` and what only an alert has.
    pub const RESOURCE: Self = Self { certificate: false, alert: false };
    /// Of a certificate that is known.
    pub const CERTIFICATE: Self = Self { certificate: true, alert: false };
    /// Of an alert: also `severity`, `stage` and `type`.
    pub const ALERT: Self = Self { certificate: true, alert: true };

    /// Whether `label` may be asked for.
    pub fn contains(self, label: &Label) -> bool {
        match label {
            Label::CertRole => self.certificate,
            Label::Severity | Label::Stage | Label::Type => self.alert,
            _ => true,
        }
    }

    pub(super) fn words(self) -> impl Iterator<Item = &'static str> {
        WORDS.iter().filter(move |(_, label)| self.contains(label)).map(|(name, _)| *name)
    }
}

/// A text in double quotes, escaped.
pub(super) struct Quoted<'t>(pub(super) &'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            if matches!(character, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(character)?;
        }
        f.write_char('"')
    }
}

/// The key of a tag or label, in quotes only where it needs them.
struct Key<'t>(&'t str);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.chars().all(is_bare) { f.write_str(self.0) } else { write!(f, "{}", Quoted(self.0)) }
    }
}

/// May stand in a label or a key without quotes.
pub(super) fn is_bare(character: char) -> bool {
    character.is_alphanumeric() || "_-.:/@+#%&*".contains(character)
}
