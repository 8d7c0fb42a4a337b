//! The name that was probably meant.

/// How similar two names must be; below it a guess would be more confusing than none.
const SIMILAR: f64 = 0.8;

/// No name is longer, and comparing takes time with the square of the length.
const LONGEST: usize = 200;

/// The most similar of `names`, if any is similar enough to have been meant.
pub fn nearest<'n>(written: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if written.len() > LONGEST {
        return None;
    }
    let written = written.to_lowercase();
    let scored = names.into_iter().map(|name| (strsim::jaro_winkler(&written, &name.to_lowercase()), name));
    let best = scored.filter(|&(score, _)| score > SIMILAR).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        for (written, want) in [
            ("regoins", Some("regions")),
            ("region", Some("regions")),
            ("Regions", Some("regions")),
            ("nme", Some("name")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, ["name", "regions"]), want, "{written}");
        }
    }
}
