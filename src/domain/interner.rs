//! Texts and lists of tags that many resources share, kept once: in a large fleet most of what a resource says about
//! itself is what its neighbours say.

use std::collections::HashSet;
use std::sync::Arc;

use super::resource::Tags;

/// What was shared so far.
#[derive(Debug, Default)]
pub struct Interner {
    texts: HashSet<Arc<str>>,
    tags: HashSet<Tags>,
}

impl Interner {
    /// The shared copy of a text.
    pub fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&new));
        new
    }

    /// The shared copy of a list of tags, in the order in which they come.
    pub fn share_tags<T: AsRef<str>>(&mut self, tags: impl IntoIterator<Item = (T, T)>) -> Tags {
        let pairs =
            tags.into_iter().map(|(key, value)| (self.share(key.as_ref()), self.share(value.as_ref())));
        let new: Tags = pairs.collect();
        if let Some(known) = self.tags.get(&new) {
            return Arc::clone(known);
        }
        self.tags.insert(Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_and_tags_are_kept_once() {
        let mut interner = Interner::default();
        let (one, other) = (interner.share("prod"), interner.share(&String::from("prod")));
        assert!(Arc::ptr_eq(&one, &other));
        let (first, second) =
            (interner.share_tags([("env", "prod")]), interner.share_tags([("env", "prod")]));
        assert!(Arc::ptr_eq(&first, &second) && Arc::ptr_eq(&first[0].1, &one));
        assert!(!Arc::ptr_eq(&first, &interner.share_tags([("env", "test")])));
    }
}
