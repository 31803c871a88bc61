//! clap's view of the table of options, for help, the manual page and completions.

use clap::{Arg, ArgAction, Command, ValueHint};

use super::flags::place::{ALL, RUN};
use super::flags::{FLAGS, Flag, Id, STATUSES, SUBS};

const USAGE: &str = "gosandbox [OPTIONS] -- COMMAND [ARG]...\n       \
                     gosandbox [OPTIONS] go [ARG]...\n       \
                     gosandbox SUBCOMMAND [OPTIONS]";

/// The whole command line.
pub fn command() -> Command {
    let mut command = Command::new("gosandbox")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Runs the go command, and what it builds, in a cage")
        .override_usage(USAGE)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .subcommand_value_name("SUBCOMMAND")
        .subcommand_help_heading("Subcommands")
        .after_help(statuses())
        .args(options(RUN));
    for sub in SUBS {
        let mut one = Command::new(sub.name)
            .about(sub.help)
            .disable_help_flag(true)
            .disable_version_flag(true)
            .args(options(sub.place));
        for words in sub.arguments.split_whitespace() {
            one = one.arg(argument(words));
        }
        command = command.subcommand(one);
    }
    command
}

/// The exit statuses, as text.
pub fn statuses() -> String {
    let mut text = String::from("Exit status:\n");
    for (status, meaning) in STATUSES {
        text.push_str(&format!("  {status:<6} {meaning}\n"));
    }
    text
}

fn argument(words: &'static str) -> Arg {
    let name = words.trim_matches(['[', ']']);
    let arg = Arg::new(name).value_name(name);
    match name.split_once('|') {
        Some(_) => arg
            .required(name == words)
            .value_parser(name.split('|').collect::<Vec<_>>()),
        None if name == "SUBCOMMAND" => arg.value_parser(SUBS.map(|sub| sub.name)),
        None => arg,
    }
}

fn options(place: u32) -> impl Iterator<Item = Arg> {
    FLAGS
        .into_iter()
        .filter(move |flag| flag.place == ALL || flag.place & place != 0)
        .map(option)
}

fn option(flag: Flag) -> Arg {
    let name = if flag.long.is_empty() {
        "directory"
    } else {
        flag.long
    };
    let mut arg = Arg::new(name).help(flag.help);
    if !flag.long.is_empty() {
        arg = arg.long(flag.long);
    }
    if let Some(short) = flag.short {
        arg = arg.short(short);
    }
    arg = match flag.value {
        Some("DIR") => arg.value_hint(ValueHint::DirPath),
        Some("FILE" | "PATH" | "NAME|FILE") => arg.value_hint(ValueHint::AnyPath),
        _ => arg,
    };
    match (flag.id, flag.value, flag.repeats) {
        (Id::Help, ..) => arg.action(ArgAction::Help),
        (Id::Version, ..) => arg.action(ArgAction::Version),
        (_, Some(value), true) => arg.value_name(value).action(ArgAction::Append),
        (_, Some(value), false) => arg.value_name(value).action(ArgAction::Set),
        (_, None, true) => arg.action(ArgAction::Count),
        (_, None, false) => arg.action(ArgAction::SetTrue),
    }
}

/// The help text, of a subcommand or of all.
pub fn render(topic: Option<&str>) -> String {
    let mut all = command();
    all.build();
    let text = match topic.and_then(|name| all.find_subcommand_mut(name)) {
        Some(sub) => sub.render_help(),
        None => all.render_help(),
    };
    text.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_shows_every_option_and_clap_finds_no_fault_with_the_table() {
        command().debug_assert();
        let text = render(None);
        for flag in FLAGS.iter().filter(|flag| flag.place & RUN != 0) {
            assert!(text.contains(&flag.shown()), "{}", flag.shown());
        }
        assert!(
            text.contains("125    gosandbox refused or failed"),
            "{text}"
        );
        assert!(!text.contains("scan  "), "{text}");
        assert!(render(Some("policy")).contains("--json"));
    }

    #[test]
    fn completions_and_the_manual_page_come_from_the_same_table() {
        use super::super::args::Shell;
        use super::super::{completions, man};
        let mut pages = vec![man::render().expect("a page")];
        pages.extend([Shell::Bash, Shell::Zsh, Shell::Fish].map(completions::render));
        for page in pages {
            let page = String::from_utf8(page).expect("text").replace('\\', "");
            assert!(
                page.contains("best-effort") && page.contains("completions"),
                "{page}"
            );
        }
    }
}
