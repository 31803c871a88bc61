//! The launcher in the place of the C compiler, as the go command calls it where a run has none.
//!
//! It gives the answers that the compiler has given beforehand, and refuses everything else: nothing is compiled here.

use std::ffi::OsString;
use std::path::Path;

use crate::plan::compiler::{COMPILER_VARIABLE, StandIn};
use crate::policy::compilers::is_compiler;
use crate::refusal::{Code, Refused};

/// What stands in for the compiler, if this process was called in its place: by its name, and by the go command of a run
/// that has it so.
pub fn called() -> Option<StandIn> {
    let name = std::env::args_os().next()?;
    if !is_compiler(Path::new(&name)) {
        return None;
    }
    let said = std::env::var(COMPILER_VARIABLE).ok()?;
    serde_json::from_str(&said).ok()
}

/// What the compiler would say.
///
/// # Errors
/// It is asked for something else, which would take a compiler.
pub fn answer(stand_in: &StandIn, arguments: &[OsString]) -> Result<String, Refused> {
    let asked: Option<Vec<String>> = arguments
        .iter()
        .map(|word| word.to_str().map(str::to_owned))
        .collect();
    let answer = asked.and_then(|asked| stand_in.answer(&asked).map(str::to_owned));
    answer.ok_or_else(|| {
        let text = format!(
            "cannot run {}: no C compiler runs inside. With -race only Go's own packages have C code, compiled beforehand",
            stand_in.name
        );
        Refused::new(Code::CompilerRefused, text)
            .words("leave out -race, or packages of the build that import \"C\"")
            .words("see docs/race.md for flags that have Go's own packages compiled anew")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::compiler::Answer;

    #[test]
    fn only_what_was_asked_before_is_answered() {
        let stand_in = StandIn {
            name: "gcc".to_owned(),
            answers: vec![Answer {
                arguments: vec!["-m64".to_owned(), "--print-libgcc-file-name".to_owned()],
                output: "/usr/lib/libgcc.a\n".to_owned(),
            }],
        };
        let ask = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            answer(&stand_in, &words)
        };
        assert_eq!(
            ask("-m64 --print-libgcc-file-name").unwrap(),
            "/usr/lib/libgcc.a\n"
        );
        for line in ["-c x.c", "-m64", "--print-libgcc-file-name -m64", "@args"] {
            assert_eq!(ask(line).unwrap_err().code(), Code::CompilerRefused);
        }
    }
}
