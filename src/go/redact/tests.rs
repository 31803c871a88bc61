use proptest::prelude::*;

use super::*;

fn shown(config: &str) -> Option<String> {
    redacted(config.as_bytes()).map(|text| String::from_utf8(text).expect("text"))
}

#[test]
fn an_ordinary_configuration_stays_as_it_is() {
    let config = "[core]\n\trepositoryformatversion = 0\n\tbare = false ; no\n[remote \"origin\"]\n\turl = git@x:y\n\
        \tpushurl = ssh://git@host:22/y\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n\
        [branch \"a@b\"]\n\tmerge = refs/heads/a@b\n[user]\n\temail = a@example.com\n# https://host/x@y\n";
    assert_eq!(shown(config), None);
    assert_eq!(redacted(b"[user]\n\tname = J\xfcrgen\n"), None);
    assert_eq!(redacted(b""), None);
}

#[test]
fn what_checkouts_leave_is_taken_out_and_the_rest_stays_byte_for_byte() {
    let config = "[core]\r\n\tbare = false\r\n[http \"https://github.com/\"]\n\textraheader = AUTHORIZATION: basic T0K\n\
        \tsslVerify = true\n[remote \"origin\"]\n\turl = https://user:T0K@host/o/r # mine\n\tfetch = +a:b\n\
        [url \"https://x:T0K@github.com/\"]\n\tinsteadOf = https://github.com/\n\
        [credential]\n\thelper = store --file=T0K\\\n T0K\n[credential \"https://T0K@x\"]\n\tusername = T0K\n[x] tokEn = T0K\n\
        [remote \"s\"] url = ssh://git:T0K@host/r\n";
    let without = "[core]\r\n\tbare = false\r\n[http \"https://github.com/\"]\n\t\n\
        \tsslVerify = true\n[remote \"origin\"]\n\turl = \"https://host/o/r\"\n\tfetch = +a:b\n\
        [url \"https://github.com/\"]\n\tinsteadOf = https://github.com/\n\
        [credential]\n\t\n[credential \"https://x\"]\n\t\n[x] \n\
        [remote \"s\"] url = \"ssh://git@host/r\"\n";
    assert_eq!(shown(config).as_deref(), Some(without));
}

#[test]
fn comments_and_odd_spellings_hide_nothing() {
    for config in [
        "# url = https://u:T0K@host/\n[core]\nx = 1\n",
        "[core]\nx = 1 ; extraheader = T0K\n",
        "[core]\nx = 1 # https://T0K@host\n",
        "[core] # password T0K\nx = 1\n",
        "[remote \"o\"]\nurl = https://u:T0K\\\n@host/\n",
        "[remote \"o\"]\nurl = \"https:\"//u:T0\"K\"@host/\n",
        "[remote \"https:\\/\\/u:T0K@host\"]\nfetch = x\n",
        "[remote \"o\"]\nurl = https://a@b:T0K@host/\n",
        "[remote \"o\"]\nurl = https://host/ https://T0K@host/\n",
        "[remote \"o\"]\nurl = HTTPS://T0K@host",
        "[alias]\nx = \"!curl -H 'Authorization: Bearer T0K' https://host\"\n",
        "[sendemail]\nsmtpPass = T0K\n",
        "[github]\noauth-token = T0K\n",
        "[http]\nproxy = http://u:T0K@proxy:3128\n",
        "[x\nT0K",
        "[core]\nx = T0K\0\n",
    ] {
        let text = shown(config).expect(config);
        assert!(
            !text.to_ascii_lowercase().contains("t0k"),
            "{config:?}: {text:?}"
        );
        assert!(
            !text.contains("K@") && !text.contains("T0"),
            "{config:?}: {text:?}"
        );
        assert!(gitconfig::parse(text.as_bytes()).is_ok(), "{text:?}");
    }
}

#[test]
fn what_cannot_be_understood_is_replaced() {
    assert_eq!(redacted(b"[core\n").as_deref(), Some(MINIMAL));
    assert_eq!(redacted(MINIMAL), None);
}

/// Configurations with a secret at places where git reads one.
fn configs() -> impl Strategy<Value = String> {
    let pieces = vec![
        "[core]",
        "[remote \"o\"]",
        "[http \"https://h/\"]",
        "[url \"https://u:T0K@h/\"]",
        "[credential]",
        "\n",
        "\n\t",
        "x = 1",
        "url = https://T0K@h/p",
        "url = \"https://u:T0K@h\"",
        "extraheader = T0K",
        "# https://T0K@h",
        "; token T0K",
        " ",
        "helper = !T0K",
        "fetch = +a:b",
        "\\\n",
        "\r\n",
        "pushurl = https://h/x",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_secret_is_left_and_every_other_setting_is(config in configs()) {
        let before = gitconfig::parse(config.as_bytes());
        let text = redacted(config.as_bytes()).unwrap_or_else(|| config.clone().into_bytes());
        // A secret behind a key that is none (`x = 1extraheader = T0K`) is an ordinary value.
        let after = gitconfig::parse(&text).expect("still a configuration");
        let Ok(before) = before else {
            prop_assert_eq!(text, MINIMAL);
            return Ok(());
        };
        let open = |all: &[Setting]| -> Vec<(String, Option<Vec<u8>>)> {
            let kept = all.iter().filter(|it| !is_secret(it, &without_user(it.value.as_deref().unwrap_or_default())));
            kept.map(|it| {
                let name = format!("{}.{}", it.section, it.key);
                (name, it.value.as_deref().map(without_user))
            }).collect()
        };
        prop_assert_eq!(open(&before), open(&after));
        prop_assert_eq!(open(&after).len(), after.len());
        for setting in after {
            prop_assert_eq!(without_user(&setting.subsection), setting.subsection.clone());
            let value = setting.value.unwrap_or_default();
            prop_assert_eq!(without_user(&value), value);
        }
        prop_assert_eq!(redacted(&text), None);
    }

    #[test]
    fn no_text_panics(config in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = redacted(&config).unwrap_or(config);
        prop_assert!(gitconfig::parse(&text).is_ok());
    }
}
