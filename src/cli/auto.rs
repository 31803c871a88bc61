//! `gosandbox profile auto`: what this host has to load the policy into, and loading it.
//!
//! Installing is whole or not at all: what was checked is put in place and loaded, and where a step fails
//! what was there before is put back and loaded again.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use super::args::{Install, LowArgs};
use super::profiles;

/// Which guard of the kernel's is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    Selinux,
    Apparmor,
    Landlock,
}

/// Where AppArmor's profiles are loaded from at boot.
const APPARMOR_FOLDER: &str = "/etc/apparmor.d";

impl Guard {
    /// Reads what the kernel says, below `sys`, which is `/sys` but for tests.
    fn look(sys: &Path) -> Guard {
        let is = |file: &str, value: &str| {
            fs::read_to_string(sys.join(file)).is_ok_and(|text| text.trim() == value)
        };
        if is("fs/selinux/enforce", "1") {
            Guard::Selinux
        } else if is("module/apparmor/parameters/enabled", "Y") {
            Guard::Apparmor
        } else {
            Guard::Landlock
        }
    }
}

/// What this host has and what to run, or the loading itself.
pub(super) fn auto(args: &LowArgs) -> anyhow::Result<Vec<u8>> {
    let guard = Guard::look(Path::new("/sys"));
    let Some(install) = args.install else {
        return Ok(advice(guard, args).into_bytes());
    };
    if guard == Guard::Landlock {
        bail!(
            "cannot load a profile: this host has neither SELinux in enforcing mode nor AppArmor; Landlock stands alone, and needs no loading"
        );
    }
    if !rustix::process::geteuid().is_root() {
        bail!(
            "cannot load a profile: only root can; call gosandbox profile auto --install as root"
        );
    }
    let said = match (guard, install) {
        (Guard::Selinux, install) => selinux(args, install)?,
        (_, Install::Load) => apparmor(args)?,
        (_, Install::Remove) => remove_apparmor()?,
    };
    Ok(said.into_bytes())
}

fn advice(guard: Guard, args: &LowArgs) -> String {
    let project = args
        .directory
        .as_ref()
        .map_or_else(String::new, |folder| format!(" -C {}", quoted(folder)));
    match guard {
        Guard::Selinux => format!(
            "SELinux is in enforcing mode here. To load the module and label the files, as root:\n\
             \x20 gosandbox profile selinux{project} -o gosandbox-selinux/ && gosandbox-selinux/install\n\
             or in one step, taken back with --uninstall:\n\
             \x20 gosandbox profile auto{project} --install\n\
             Then `selinux = \"gosandbox_t\"` in a profile's [layers] has gosandbox switch into it.\n"
        ),
        Guard::Apparmor => format!(
            "AppArmor is on here. To load the profiles, as root:\n\
             \x20 gosandbox profile apparmor{project} -o /etc/apparmor.d/gosandbox && apparmor_parser -r /etc/apparmor.d/gosandbox\n\
             or in one step, with the launcher's own profile, taken back with --uninstall:\n\
             \x20 gosandbox profile auto{project} --install\n\
             Then `apparmor = \"gosandbox\"` in a profile's [layers] has gosandbox switch into it.\n"
        ),
        Guard::Landlock => "Neither SELinux in enforcing mode nor AppArmor is here: Landlock stands alone, and needs no loading.\n\
             `gosandbox doctor` shows what it holds.\n"
            .to_owned(),
    }
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "'\\''"))
}

fn apparmor(args: &LowArgs) -> anyhow::Result<String> {
    let folder = Path::new(APPARMOR_FOLDER);
    let newer = folder.join("abi/4.0").exists();
    let main = if newer {
        "gosandbox.abi-4.0"
    } else {
        "gosandbox"
    };
    let files: Vec<(PathBuf, String)> = profiles::files(args, "apparmor")?
        .into_iter()
        .filter_map(|file| match file.name.as_str() {
            name if name == main => Some((folder.join("gosandbox"), file.content)),
            "gosandbox-launcher" => Some((folder.join("gosandbox-launcher"), file.content)),
            _ => None,
        })
        .collect();
    let staged = Staged::new()?;
    for (target, content) in &files {
        let path = staged.0.join(target.file_name().unwrap_or_default());
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        parser(&["-Q", "-K"], &path)?;
    }
    install_apparmor(&files)?;
    Ok(format!(
        "loaded {}\n",
        files
            .iter()
            .map(|(path, _)| path.display().to_string())
            .collect::<Vec<_>>()
            .join(" and ")
    ))
}

/// Puts the files in place and loads them; where that fails, what was there is put back.
fn install_apparmor(files: &[(PathBuf, String)]) -> anyhow::Result<()> {
    let before: Vec<Option<Vec<u8>>> = files.iter().map(|(path, _)| fs::read(path).ok()).collect();
    let load = |(path, content): &(PathBuf, String)| -> anyhow::Result<()> {
        replace(path, content.as_bytes())?;
        parser(&["-r"], path)
    };
    let Some(failed) = files.iter().find_map(|file| load(file).err()) else {
        return Ok(());
    };
    for ((path, _), before) in files.iter().zip(before) {
        let restored = match before {
            Some(content) => replace(path, &content).and_then(|()| parser(&["-r"], path)),
            None => {
                let _may_never_have_been_loaded = parser(&["-R"], path);
                remove(path)
            }
        };
        restored.with_context(|| format!("{failed:#}; and then"))?;
    }
    Err(failed.context("nothing was changed"))
}

fn remove_apparmor() -> anyhow::Result<String> {
    let mut said = String::new();
    for name in ["gosandbox-launcher", "gosandbox"] {
        let path = Path::new(APPARMOR_FOLDER).join(name);
        if path.exists() {
            parser(&["-R"], &path)?;
            remove(&path)?;
            said += &format!("removed {}\n", path.display());
        }
    }
    if said.is_empty() {
        said = "nothing was installed\n".to_owned();
    }
    Ok(said)
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Whole or not at all, also for who loads the folder meanwhile: names with a dot in front are passed over.
fn replace(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.new"));
    fs::write(&temporary, content)
        .and_then(|()| fs::set_permissions(&temporary, fs::Permissions::from_mode(0o644)))
        .and_then(|()| fs::rename(&temporary, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn parser(options: &[&str], path: &Path) -> anyhow::Result<()> {
    run(
        Command::new("apparmor_parser").args(options).arg(path),
        "apparmor",
    )
}

/// The module's own script, which takes back what it did where a step fails.
fn selinux(args: &LowArgs, install: Install) -> anyhow::Result<String> {
    let staged = Staged::new()?;
    for file in profiles::files(args, "selinux")? {
        let path = staged.0.join(&file.name);
        fs::write(&path, &file.content)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut command = Command::new("/bin/sh");
    command.arg(staged.0.join("install"));
    if install == Install::Remove {
        command.arg("undo");
    }
    run(&mut command, "policycoreutils")?;
    Ok(match install {
        Install::Load => "loaded the SELinux module gosandbox and labelled its files\n",
        Install::Remove => "removed the SELinux module gosandbox and its labels\n",
    }
    .to_owned())
}

/// Runs one of the system's own tools; what it says is part of the error.
fn run(command: &mut Command, package: &str) -> anyhow::Result<()> {
    // As root: from the system's own folders, and with nothing of the caller's.
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C");
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {program} (package {package})"))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        bail!("{program} failed: {}", said.trim());
    }
    Ok(())
}

/// A folder of root's own for what is checked before it is put in place.
struct Staged(PathBuf);

impl Staged {
    fn new() -> anyhow::Result<Staged> {
        let mut random = [0; 8];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
            .context("cannot get random numbers")?;
        let path = PathBuf::from(format!(
            "/run/gosandbox-install-{:016x}",
            u64::from_ne_bytes(random)
        ));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Staged(path))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let _stays_until_the_next_boot = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selinux_counts_when_it_enforces_and_apparmor_when_it_is_on() {
        let sys = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = sys.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(Guard::look(sys.path()), Guard::Landlock);
        write("module/apparmor/parameters/enabled", "N\n");
        assert_eq!(Guard::look(sys.path()), Guard::Landlock);
        write("module/apparmor/parameters/enabled", "Y\n");
        assert_eq!(Guard::look(sys.path()), Guard::Apparmor);
        write("fs/selinux/enforce", "0");
        assert_eq!(Guard::look(sys.path()), Guard::Apparmor);
        write("fs/selinux/enforce", "1");
        assert_eq!(Guard::look(sys.path()), Guard::Selinux);
    }
}
