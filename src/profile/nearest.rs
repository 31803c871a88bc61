//! The nearest of some known words, for "did you mean".

/// The known word that is nearest to `word`, if one is near enough to be what was meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let limit = 2.max(word.len() / 3);
    known
        .into_iter()
        .map(|candidate| (distance(&word, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.len())
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance; what is beyond 64 letters does not count, since words may be hostile.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(l != *r);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_found_and_a_far_one_is_not() {
        let known = ["read", "write", "protected"];
        assert_eq!(nearest("raed", known), Some("read"));
        assert_eq!(nearest("Protect", known), Some("protected"));
        assert_eq!(nearest("xylophone", known), None);
        assert_eq!(nearest("", known), None);
    }
}
