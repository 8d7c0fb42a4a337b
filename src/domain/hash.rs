//! A hash that is the same on every machine, in every version and after every restart.

/// FNV-1a over 64 bits, finished with an avalanche so that neighbouring ids land far apart.
///
/// `std`'s hasher is no use here: its output may change between releases, and a look that was spread by it would
/// move when the daemon is upgraded.
pub fn stable_hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// The same hash as a fraction in `0.0 ..= 1.0`.
#[allow(clippy::cast_precision_loss)] // 53 bits fit an f64 exactly
pub fn stable_fraction<'a>(parts: impl IntoIterator<Item = &'a str>) -> f64 {
    (stable_hash(parts) >> 11) as f64 / ((1_u64 << 53) - 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_kept_apart() {
        assert_ne!(stable_hash(["ab", "c"]), stable_hash(["a", "bc"]));
    }

    #[test]
    fn neighbouring_ids_spread_evenly() {
        let mut buckets = [0_u32; 10];
        for n in 0..10_000 {
            let id = format!("r-bp{n:06}");
            let slot = (stable_fraction([id.as_str()]) * 10.0).min(9.0);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let slot = slot as usize;
            buckets[slot] += 1;
        }
        assert!(buckets.iter().all(|&n| (850..1150).contains(&n)), "{buckets:?}");
    }

    #[test]
    fn the_value_never_changes_between_releases() {
        assert_eq!(
            stable_hash(["alibaba", "prod", "r-1"]),
            0xd0bb_acf8_69dc_c8b3,
            "spread would move on upgrade"
        );
    }
}
