use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<ModFile, ModFileError> {
    ModFile::parse(text.as_bytes())
}

#[test]
fn a_full_go_mod_is_read() {
    let file = parse(
        "// Deprecated: no\nmodule \"example.com/m\" // tail\n\ngo 1.24.0\r\ntoolchain go1.26.1\n\
         godebug (\n\tdefault=go1.21\n)\nrequire (\n\ta.b/c v1.2.3 // indirect\n\n\t// lone\n\td.e/f v0.0.0-2020//x\n)\n\
         replace a.b/c v1.2.3 => ../local/c\nreplace (\n\td.e/f => `./with space`\n\tg.h/i => j.k/l v1.0.0\n)\n\
         tool a.b/c/cmd/x\nignore ./node_modules\nretract [v1.0.0, v1.9.9]\nexclude a.b/c v1.0.0\nnovelty ( )\n",
    )
    .expect("parsed");
    assert_eq!(file.module.expect("module").text, "example.com/m");
    assert_eq!(
        file.go.expect("go"),
        Word {
            line: 4,
            text: "1.24.0".to_owned()
        }
    );
    assert_eq!(file.toolchain.expect("toolchain").text, "go1.26.1");
    assert_eq!(file.requires.len(), 2);
    assert_eq!(file.requires[1].version, "v0.0.0-2020");
    let local: Vec<(&str, bool)> = file
        .replaces
        .iter()
        .map(|r| (r.target.as_str(), r.local))
        .collect();
    assert_eq!(
        local,
        [
            ("../local/c", true),
            ("./with space", true),
            ("j.k/l", false)
        ]
    );
    assert_eq!(file.tools[0].text, "a.b/c/cmd/x");
    assert_eq!(file.ignores.len() + file.godebug.len(), 2);
}

#[test]
fn a_go_work_is_read() {
    let file =
        parse("go 1.21\nuse (\n\t.\n\t./sub // here\n)\nuse \"../\\x6eear\"\n").expect("parsed");
    let uses: Vec<&str> = file.uses.iter().map(|u| u.text.as_str()).collect();
    assert_eq!(uses, [".", "./sub", "../near"]);
}

#[test]
fn errors_name_the_line() {
    for (text, line) in [
        ("module a\nmodule b", 2),
        ("go 1.2 3", 1),
        ("require (\n a v1\n", 1),
        (")", 1),
        ("\n/* x */", 2),
        ("use \"x", 1),
        ("use 'x'", 1),
        ("use \"\\q\"", 1),
        ("\nreplace a b c => d", 2),
        ("replace a =>", 1),
        ("require a", 1),
    ] {
        assert_eq!(parse(text).map_err(|e| e.line), Err(line), "{text:?}");
    }
    assert_eq!(
        ModFile::parse(b"go 1.2\n\xff"),
        Err(ModFileError {
            line: 2,
            cause: Cause::NotUtf8
        })
    );
}

#[test]
fn messages_hold_no_control_characters() {
    let error = parse("use a'\u{1b}[2J").expect_err("quote").to_string();
    assert!(!error.contains('\u{1b}'), "{error:?}");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = ModFile::parse(&bytes);
    }

    #[test]
    fn no_text_of_its_alphabet_panics(text in "(module|go|use|replace|require|=>|[()\"`\\\\/*.,a-z \n\t\r\u{a0}]){0,60}") {
        let _ = parse(&text);
    }

    #[test]
    fn a_quoted_path_is_read_back(path in "[ -!#-\\[\\]-~]{1,20}") {
        let file = parse(&format!("use \"{path}\"")).expect("parsed");
        prop_assert_eq!(&file.uses[0].text, &path);
    }
}
