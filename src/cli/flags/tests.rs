use super::*;

const DOCS: &str = include_str!("../../../docs/command-line.md");

#[test]
fn the_documentation_has_every_option_subcommand_and_status_and_no_other() {
    for flag in FLAGS {
        let value = flag.value.map_or(String::new(), |value| {
            format!(" {}", value.replace('|', "\\|"))
        });
        let row = format!("`{}{value}` | ", flag.shown());
        assert!(DOCS.contains(&row), "{row}");
        if let Some(short) = flag.short {
            assert!(DOCS.contains(&format!("| `-{short}")), "-{short}");
        }
        let repeats = flag.repeats && flag.value.is_some();
        let line = DOCS.lines().find(|line| line.contains(&row));
        assert_eq!(
            line.is_some_and(|line| line.contains("may be repeated")),
            repeats,
            "{row}"
        );
    }
    let rows = |text: &str| DOCS.lines().filter(|line| line.starts_with(text)).count();
    assert_eq!(rows("| `-"), FLAGS.len());
    for sub in SUBS {
        assert!(rows(&format!("| `{}", sub.name)) > 0, "{}", sub.name);
    }
    for name in LATER {
        assert!(DOCS.contains(&format!("`{name}`")), "{name}");
    }
    for (status, meaning) in STATUSES {
        assert!(
            DOCS.contains(&format!("| `{status}` | {meaning}")),
            "{status}"
        );
    }
}

#[test]
fn no_name_is_taken_twice() {
    for (index, flag) in FLAGS.iter().enumerate() {
        for other in &FLAGS[..index] {
            assert!(flag.id != other.id && (flag.long.is_empty() || flag.long != other.long));
            assert!(
                flag.short.is_none() || flag.short != other.short,
                "{:?}",
                flag.short
            );
        }
    }
    assert!(
        LATER
            .iter()
            .all(|name| SUBS.iter().all(|sub| sub.name != *name))
    );
}
