//! Sizes and durations, as people write them.

use super::Problem;

const SIZES: [(&str, u64); 9] = [
    ("", 1),
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

const DURATIONS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86400)];

/// Reads a size such as `4GiB`; a bare number is bytes.
pub fn size(text: &str) -> Result<u64, Problem> {
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    SIZES
        .iter()
        .find(|(name, _)| *name == unit)
        .and_then(|(_, factor)| number.parse::<u64>().ok()?.checked_mul(*factor))
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| {
            Problem(format!(
                "`{text}` is not a size: write a number and KiB, MiB, GiB or TiB, as in 4GiB"
            ))
        })
}

/// Reads a duration such as `10m` or `1h30m` as seconds; a bare number is seconds.
pub fn duration(text: &str) -> Result<u64, Problem> {
    total(text).filter(|seconds| *seconds > 0).ok_or_else(|| {
        Problem(format!(
            "`{text}` is not a duration: write whole numbers and s, m, h or d, as in 10m or 1h30m"
        ))
    })
}

fn total(text: &str) -> Option<u64> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(seconds);
    }
    let mut rest = text;
    let mut sum = 0_u64;
    let mut last = u64::MAX;
    while !rest.is_empty() {
        let split = rest.find(|c: char| !c.is_ascii_digit())?;
        let unit = rest.get(split..split + 1)?;
        let (_, factor) = DURATIONS.iter().find(|(name, _)| *name == unit)?;
        if *factor >= last {
            return None;
        }
        last = *factor;
        let part = rest[..split].parse::<u64>().ok()?.checked_mul(*factor)?;
        sum = sum.checked_add(part)?;
        rest = &rest[split + 1..];
    }
    Some(sum)
}

/// Reads a number of at least one.
pub fn count(text: &str) -> Result<u64, Problem> {
    match text.parse::<u64>() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(Problem(format!("`{text}` is not a number of at least 1"))),
    }
}

/// Writes a size in the largest unit that holds it exactly.
pub fn show_size(bytes: u64) -> String {
    let (name, factor) = SIZES[2..6]
        .iter()
        .rev()
        .find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor))
        .unwrap_or(&SIZES[1]);
    format!("{}{name}", bytes / factor)
}

/// Writes seconds as a duration.
pub fn show_duration(seconds: u64) -> String {
    let mut rest = seconds;
    let mut text = String::new();
    for (name, factor) in DURATIONS.iter().rev() {
        if rest >= *factor {
            text.push_str(&format!("{}{name}", rest / factor));
            rest %= factor;
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_binary_and_decimal_units() {
        assert_eq!(size("4GiB").ok(), Some(4 << 30));
        assert_eq!(size("512MB").ok(), Some(512_000_000));
        assert_eq!(size("1024").ok(), Some(1024));
        for bad in [
            "",
            "GiB",
            "4 GiB",
            "-1",
            "4gib",
            "0",
            "1.5GiB",
            "99999999999GiB",
        ] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_are_read_from_the_largest_unit_down() {
        assert_eq!(duration("10m").ok(), Some(600));
        assert_eq!(duration("1h30m").ok(), Some(5400));
        assert_eq!(duration("90").ok(), Some(90));
        for bad in ["", "m", "10", "10x", "5m1h", "-3s", "0s", "1m1m", "10µ"] {
            assert_eq!(duration(bad).is_err(), bad != "10", "{bad}");
        }
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        for value in [1, 60, 61, 5400, 86400, 90061] {
            assert_eq!(duration(&show_duration(value)).ok(), Some(value));
        }
        for value in [1, 1 << 10, 3 << 30, (1 << 20) + 1] {
            assert_eq!(size(&show_size(value)).ok(), Some(value));
        }
    }
}
