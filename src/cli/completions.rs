//! `gosandbox completions SHELL`.

use clap::builder::PossibleValuesParser;
use clap_complete::aot;

use super::args::Shell;
use super::help;
use crate::generate::BACKENDS;
use crate::go::command::COMMANDS;
use crate::profile::BUILT_IN;

/// What clap's script for bash does not know: the words of go's own after options too, and that what comes after `--` is
/// a command. Names of files come by the default that `complete` is given.
const BASH: &str = r#"
_gosandbox_command() {
    local i at
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "${COMP_WORDS[i]}" in
            go) at=$i ;;
            --) at=$((i + 1)) ;;
            *) continue ;;
        esac
        if ((at == COMP_CWORD)); then
            COMPREPLY=($(compgen -c -- "$2"))
        elif [[ ${COMP_WORDS[at]} == go ]] && ((at + 1 == COMP_CWORD)); then
            COMPREPLY=($(compgen -W "GO_COMMANDS" -- "$2"))
        fi
        return 0
    done
    if [[ ${COMP_WORDS[COMP_CWORD - 1]} == --profile ]]; then
        COMPREPLY=($(compgen -W "PROFILES" -- "$2") $(compgen -f -- "$2"))
        return 0
    fi
    _gosandbox "$@"
}
complete -F _gosandbox_command -o nosort -o bashdefault -o default gosandbox
"#;

/// The completion script for a shell.
pub fn render(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    let mut command = command();
    match shell {
        Shell::Bash => {
            aot::generate(aot::Bash, &mut command, "gosandbox", &mut script);
            let profiles = BUILT_IN.map(|one| one.name).join(" ");
            let own = BASH.replace("PROFILES", &profiles);
            let own = own.replace("GO_COMMANDS", &COMMANDS.join(" "));
            script.extend(own.into_bytes());
        }
        Shell::Zsh => aot::generate(aot::Zsh, &mut command, "gosandbox", &mut script),
        Shell::Fish => aot::generate(aot::Fish, &mut command, "gosandbox", &mut script),
    }
    script
}

/// The command line with what only completions name: go's own commands and the formats.
fn command() -> clap::Command {
    let words = |name| clap::Command::new(name).disable_help_flag(true);
    let go = words("go")
        .about("The go command")
        .disable_help_subcommand(true)
        .subcommands(COMMANDS.map(words));
    let formats = BACKENDS.map(|one| one.format()).into_iter().chain(["auto"]);
    let formats = PossibleValuesParser::new(formats.collect::<Vec<_>>());
    help::command()
        .mut_subcommand("profile", |profile| {
            profile.mut_arg("FORMAT", |format| format.value_parser(formats))
        })
        .subcommand(go)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What bash offers for the last word.
    fn offered(words: &str) -> Vec<String> {
        let words: Vec<&str> = words.split(' ').collect();
        let (last, previous) = (words[words.len() - 1], words[words.len() - 2]);
        let script = String::from_utf8(render(Shell::Bash)).unwrap();
        let script = format!(
            "{script}\nCOMP_WORDS=({}); COMP_CWORD={}\n_gosandbox_command gosandbox '{last}' '{previous}'\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words
                .iter()
                .map(|word| format!("'{word}' "))
                .collect::<String>(),
            words.len() - 1,
        );
        let mut bash = std::process::Command::new("bash");
        let said = bash.arg("-c").arg(script).output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        said.lines().map(str::to_owned).collect()
    }

    #[test]
    fn bash_offers_formats_profiles_and_gos_own_words() {
        assert_eq!(offered("gosandbox go te"), ["telemetry", "test"]);
        let after_options = "gosandbox --profile ci -C /tmp -- go te";
        assert_eq!(offered(after_options), ["telemetry", "test"]);
        assert!(offered("gosandbox --profile s").contains(&"strict".to_owned()));
        assert_eq!(offered("gosandbox profile sys"), ["systemd"]);
        assert!(offered("gosandbox -- ech").contains(&"echo".to_owned()));
        assert!(offered("gosandbox doc").contains(&"doctor".to_owned()));
        assert_eq!(offered("gosandbox go test ./"), [""]);
    }

    #[test]
    fn other_shells_offer_them_too() {
        for shell in [Shell::Zsh, Shell::Fish] {
            let script = String::from_utf8(render(shell)).unwrap();
            for word in ["telemetry", "oci-seccomp", "auto"] {
                assert!(script.contains(word), "{word}: {script}");
            }
        }
    }
}
