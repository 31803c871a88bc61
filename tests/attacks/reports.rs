//! `--report` in the work tree: what the command puts in its place is not written through.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Ended, Env, Site, gosandbox, write};

const OWN: &str = "the user's own\n";

/// Puts a link to the user's own file in the place of the report.
const EXCHANGE: &str = "rm -f own/report.json; ln -s ../../outside/profile own/report.json";

fn site(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file("own/README", "");
    write(&site.outside.join("profile"), OWN);
    site.settle();
    site
}

fn kept(site: &Site) -> bool {
    fs::read_to_string(site.outside.join("profile")).is_ok_and(|text| text == OWN)
}

#[test]
fn a_link_that_the_command_puts_in_the_place_of_the_report_is_not_followed() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = site(env);
        let options = ["--report", "own/report.json"];
        site.run(&options, &["true"]).expect(0);
        let text = fs::read_to_string(site.work.join("own/report.json")).unwrap();
        assert!(text.contains("\"enforced\""), "{env:?}: {text}");
        let ended = site.run(&options, &["sh", "-c", EXCHANGE]);
        assert!(kept(&site), "{env:?}: {ended:?}");
        ended.expect(125).says("cannot write the report");
        fs::remove_file(site.work.join("own/report.json")).unwrap();
        let script = "mv own away; mkdir -p own; ln -s ../outside own/x; mv own/x own2";
        let ended = site.run(&options, &["sh", "-c", script]);
        assert!(kept(&site), "{env:?}: {ended:?}");
    }
}

#[test]
fn a_fifo_in_its_place_makes_nobody_wait() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = site(env);
        let script = "rm -f own/report.json; mkfifo own/report.json";
        site.run(&["--report", "own/report.json"], &["sh", "-c", script])
            .expect(125)
            .says("cannot write the report");
    }
}

#[test]
fn a_link_of_the_repository_does_not_choose_where_the_report_goes() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = site(env);
        symlink("../../outside/profile", site.work.join("own/report.json")).unwrap();
        symlink("../outside", site.work.join("folder")).unwrap();
        for place in ["own/report.json", "folder/profile"] {
            let ended = site.run(&["--report", place], &["true"]);
            assert!(kept(&site), "{env:?}: {ended:?}");
            ended.expect(125).says("a symbolic link in the work tree");
        }
    }
}

#[test]
fn it_goes_where_the_users_own_links_and_devices_lead() {
    let site = site(Env::E1);
    let link = site.outside.join("link");
    symlink("target.json", &link).unwrap();
    write(&site.outside.join("target.json"), "longer than nothing");
    site.settle();
    site.run(&["--report", link.to_str().unwrap()], &["true"])
        .expect(0);
    let text = fs::read_to_string(site.outside.join("target.json")).unwrap();
    assert!(text.starts_with('{') && text.ends_with("}\n"), "{text}");
    // A pipe of the user's own.
    let script = format!(
        "{} --report /dev/stdout -- true | cat",
        gosandbox().display()
    );
    let ended = Ended::of(&mut site.bare(&["sh", "-c", &script])).expect(0);
    assert!(ended.stdout.contains("\"enforced\""), "{ended:?}");
}

#[test]
fn it_is_written_through_without_gosandbox() {
    let site = site(Env::E1);
    let script = format!("{EXCHANGE}; echo report > own/report.json");
    Ended::of(&mut site.bare(&["sh", "-c", &script])).expect(0);
    assert!(!kept(&site));
}
