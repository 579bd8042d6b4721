//! What somebody may have meant by a misspelt word.

/// Other words that people write for our keys.
const ALIASES: &[(&str, &str)] = &[
    ("address", "addresses"),
    ("ip", "addresses"),
    ("ips", "addresses"),
    ("iface", "interface"),
    ("dev", "interface"),
    ("device", "interface"),
    ("nic", "interface"),
    ("ifaces", "interfaces"),
    ("devices", "interfaces"),
    ("nics", "interfaces"),
    ("proxies", "proxy"),
    ("container", "owner"),
    ("ctid", "owner"),
    ("name", "owner"),
    ("none", "unmanaged"),
    ("off", "unmanaged"),
    ("delete", "remove"),
];

/// The one of `words` nearest to `word`, if any is near enough to be meant.
pub(crate) fn nearest<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let lower = word.to_lowercase().replace('_', "-");
    let alias = ALIASES.iter().find(|(from, _)| *from == lower).map(|(_, to)| *to);
    let mut best: Option<(usize, &'w str)> = None;
    for candidate in words {
        if Some(candidate) == alias {
            return Some(candidate);
        }
        let distance = distance(&lower, &candidate.replace('_', "-"));
        let near_enough = distance <= 1 + candidate.len().min(lower.len()) / 4;
        if near_enough && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// How many insertions, deletions, substitutions and swaps of neighbours lead from `a` to `b`
/// (optimal string alignment). Both are cut at 64 characters.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let substitution = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = substitution.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let keys = ["interfaces", "strategy", "egress", "announce", "foreign_proxies"];
        assert_eq!(nearest("stratgey", keys), Some("strategy"));
        assert_eq!(nearest("Strategy", keys), Some("strategy"));
        assert_eq!(nearest("foreign-proxies", keys), Some("foreign_proxies"));
        assert_eq!(nearest("nics", keys), Some("interfaces"));
        assert_eq!(nearest("gateway", keys), None);
        assert_eq!(nearest("", keys), None);
        assert_eq!(nearest("eth33", ["eth0", "eth3"]), Some("eth3"));
    }
}
