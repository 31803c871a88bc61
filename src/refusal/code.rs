//! The one table of codes: for each its word, what it means, and what helps in general.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! codes {
    ($($code:ident $word:literal $meaning:literal $remedy:literal)*) => {
        /// Why something is refused. docs/refusals.md has a section for each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $code,)*
        }

        impl Code {
            /// Every code, in the order of docs/refusals.md.
            pub const ALL: [Code; [$($word),*].len()] = [$(Code::$code),*];

            /// The stable word: of messages, `--report`, the audit log and JSON.
            pub fn word(self) -> &'static str {
                match self { $(Code::$code => $word,)* }
            }

            /// What it means.
            pub fn meaning(self) -> &'static str {
                match self { $(Code::$code => $meaning,)* }
            }

            /// What helps where nothing more particular is known.
            pub fn remedy(self) -> &'static str {
                match self { $(Code::$code => $remedy,)* }
            }
        }
    };
}

codes! {
    // The command line.
    OptionUnknown "option-unknown"
        "gosandbox has no such option"
        "gosandbox --help"
    OptionValue "option-value"
        "an option has no value, a wrong one or too many"
        "gosandbox --help"
    OptionMisplaced "option-misplaced"
        "an option means nothing for this subcommand"
        "gosandbox --help"
    CommandUnclear "command-unclear"
        "the command line names no command, or an argument that is not known"
        "gosandbox -- go build ./..."

    // Profiles.
    ProfileUnknown "profile-unknown"
        "there is no profile of this name"
        "gosandbox policy list"
    ProfileUnreadable "profile-unreadable"
        "the profile's file cannot be read"
        "gosandbox policy list"
    ProfileUntrusted "profile-untrusted"
        "somebody else could have written the profile"
        "chmod go-w the file, or copy it to a file of your own"
    ProfileInvalid "profile-invalid"
        "the profile has an unknown key or a value that makes no sense"
        "gosandbox policy show --profile strict"
    ProfileLoop "profile-loop"
        "profiles extend each other in a circle, or too many of them"
        "remove one of the `extends` lines"
    ProfileLoosens "profile-loosens"
        "the work tree's .gosandbox.toml allows more than the profile"
        "take the key out of .gosandbox.toml"

    // The project.
    ProjectUnreadable "project-unreadable"
        "go.mod or go.work cannot be read or understood"
        "go mod verify"
    FolderUnusable "folder-unusable"
        "the folder to run in cannot be entered"
        "gosandbox -C DIR -- go build ./..."
    OutsideRepository "outside-repository"
        "the source asks for a file outside its repository"
        "gosandbox --ro PATH -- go build ./..."
    GoWorkRefused "go-work-refused"
        "go.work is not the project's"
        "GOWORK=off gosandbox -- go build ./..."
    WorkTreeTooWide "work-tree-too-wide"
        "the module's folder is too wide to be granted, such as a home folder"
        "move the module into a folder of its own"
    TreeExchanged "tree-exchanged"
        "a folder was exchanged for another while gosandbox looked at it"
        "start gosandbox again, while nothing else renames these folders"
    GitConfigurationUnclear "git-configuration-unclear"
        "nobody can tell which files git executes"
        "git config --list --show-origin"
    LinkRedirectsWrite "link-redirects-write"
        "a symbolic link of the repository would choose where go writes"
        "remove the link"
    LeftByKilledRun "left-by-killed-run"
        "something that a killed run has made at protected paths is still there"
        "gosandbox changes list"

    // The toolchain.
    GoNotFound "go-not-found"
        "no Go toolchain was found"
        "gosandbox --goroot /usr/local/go -- go build ./..."
    GorootWritable "goroot-writable"
        "somebody else could change the toolchain"
        "gosandbox --goroot /usr/local/go -- go build ./..."
    GorootInWorkTree "goroot-in-work-tree"
        "the toolchain lies in the work tree, so that the source could change it"
        "gosandbox --goroot /usr/local/go -- go build ./..."
    GorootUnusable "goroot-unusable"
        "what was found is not a Go toolchain"
        "gosandbox --goroot \"$(go env GOROOT)\" -- go build ./..."
    ToolchainVersion "toolchain-version"
        "a go or toolchain line, or GOTOOLCHAIN, names no version of Go"
        "go mod edit -go=1.26.0"
    ToolchainMissing "toolchain-missing"
        "the project asks for another Go, which is not at hand"
        "gosandbox --goroot /usr/local/go -- go build ./..."
    ToolchainOutOfRange "toolchain-out-of-range"
        "the project asks for a Go that the profile does not allow"
        "change `toolchains` in [modules] of the profile"
    ToolchainChanged "toolchain-changed"
        "the toolchain in the module cache is not what the checksum database says"
        "go clean -modcache"

    // The command.
    NotFound "not-found"
        "the command was not found"
        "name the command by its path"
    NotExecutable "not-executable"
        "the kernel does not execute the command"
        "chmod +x the file, and make sure that its interpreter exists"
    FlagRefused "flag-refused"
        "a flag of go would run a program, or weaken a check"
        "leave out the flag"
    GoflagsUnreadable "goflags-unreadable"
        "GOFLAGS cannot be read"
        "GOFLAGS= gosandbox -- go build ./..."
    GoCommandRefused "go-command-refused"
        "the go command cannot do this in the sandbox"
        "run the command without gosandbox"
    CompilerRefused "compiler-refused"
        "no C compiler, assembler or linker runs inside"
        "CGO_ENABLED=0 gosandbox -- go build ./..."
    RaceUnavailable "race-unavailable"
        "the race detector cannot be prepared"
        "install gcc and the C library's headers, or leave out -race"
    VariableRefused "variable-refused"
        "an environment variable cannot be passed"
        "gosandbox policy show"
    StampingRefused "stamping-refused"
        "git would run where the source could choose what it executes"
        "gosandbox -- go build -buildvcs=false ./..."

    // Users.
    UserUnknown "user-unknown"
        "there is no such user or group"
        "getent passwd"
    UserRefused "user-refused"
        "the command cannot run as this user"
        "leave out --user, and identity.user in the profile"
    RootCannotSwitch "root-cannot-switch"
        "root cannot become another user here, and nothing inside may be root"
        "start gosandbox as an ordinary user, or give the container CAP_SETUID and CAP_SETGID"

    // Files.
    GrantMissing "grant-missing"
        "a path that is to be granted does not exist or cannot be reached"
        "leave out the path, or make it first"
    GrantRefused "grant-refused"
        "a path cannot be granted as it is asked for"
        "name another folder"
    OutputRefused "output-refused"
        "the command cannot write where a flag says"
        "name another place"
    CacheRefused "cache-refused"
        "a folder that is named as a cache holds other things, which the source could read"
        "gosandbox --cache-dir \"$HOME/.cache/gosandbox\" -- go build ./..."
    CacheUnusable "cache-unusable"
        "a cache cannot be found, reached or made"
        "gosandbox --cache-dir \"$HOME/.cache/gosandbox\" -- go build ./..."
    CacheNotOwn "cache-not-own"
        "other users can change the folder of caches, or the way to it"
        "gosandbox cache list, as the user who owns the caches"
    CacheLeft "cache-left"
        "a cache was not removed, or not the whole of it"
        "gosandbox cache list"
    TemporaryUnusable "temporary-unusable"
        "the folder for temporary files cannot be used"
        "TMPDIR=/var/tmp gosandbox -- go build ./..."
    ReportRefused "report-refused"
        "the report cannot be written there"
        "gosandbox --report \"$HOME/report.json\" -- go build ./..."
    AuditLogRefused "audit-log-refused"
        "the audit log cannot be written there"
        "gosandbox --audit-log \"$HOME/audit.log\" -- go build ./..."
    PathUnreachable "path-unreachable"
        "the sandbox user cannot reach a path, and without namespaces it cannot be shown elsewhere"
        "chmod o+x the folders on the way"
    TreeOfRoot "tree-of-root"
        "the work tree belongs to root, and the sandbox user could not write it"
        "chown the folder to an ordinary user"
    StreamRefused "stream-refused"
        "standard input, output or error would lead out of the sandbox, or be lost"
        "put a pipe between, as with `| cat`"

    // The host.
    GuaranteeMissing "guarantee-missing"
        "this host cannot hold a guarantee that the profile requires"
        "gosandbox doctor"
    LayerMissing "layer-missing"
        "this host does not offer a layer that is required"
        "gosandbox doctor"
    LabelUnusable "label-unusable"
        "the AppArmor profile or SELinux domain cannot be put in force"
        "gosandbox doctor"
    LimitUnheld "limit-unheld"
        "nothing on this host can hold a limit"
        "systemd-run --user --scope -p Delegate=yes gosandbox -- go build ./..."
    StageUnavailable "stage-unavailable"
        "the changes to the work tree cannot be held back here"
        "gosandbox --stage apply -- go build ./..."
    SandboxFailed "sandbox-failed"
        "the kernel refused a step of the sandbox, and nothing was executed"
        "gosandbox doctor"
    GatewayFailed "gateway-failed"
        "the module gateway cannot be started"
        "gosandbox policy show"

    // Changes of a work tree.
    ProtectedPath "protected-path"
        "the path is protected"
        "look at it with `gosandbox changes show`, and make the change by hand if you want it"
    ProtectedLinkTarget "protected-link-target"
        "a symbolic link with a protected name leads here"
        "look at it with `gosandbox changes show`, and make the change by hand if you want it"
    HoldsProtected "holds-protected"
        "it holds something protected"
        "look at it with `gosandbox changes show`, and make the change by hand if you want it"
    MakesRepository "makes-repository"
        "the folder would become a git repository"
        "look at it with `gosandbox changes show`, and make the change by hand if you want it"
    InsideRepository "inside-repository"
        "the folder is a git repository"
        "look at it with `gosandbox changes show`, and make the change by hand if you want it"
    UnreadableFolder "unreadable-folder"
        "the folder in the work tree cannot be read"
        "make the folder readable (chmod u+rx) and apply again"
    LinkLeavesTree "link-leaves-tree"
        "the target of the link is outside the work tree"
        "have the program write a relative link whose target is in the work tree"
    LinkToProtected "link-to-protected"
        "the target of the link is protected"
        "make the link by hand if you want it"
    SetIdFile "set-id-file"
        "the file has a set-id bit or capabilities"
        "have the program leave out the set-id bits"
    DeviceNode "device-node"
        "it is a device node"
        "have the program make no device nodes in the work tree"
    Conflict "conflict"
        "the work tree was changed here since the run began"
        "look at it with `gosandbox changes show`, and merge it by hand"
    NotApplied "not-applied"
        "the change could not be made in the work tree"
        "gosandbox changes apply"
    ChangesLeft "changes-left"
        "not every change was applied, and the others are still staged"
        "gosandbox changes show"
    ChangesUnknown "changes-unknown"
        "no staged changes have this name, or several do"
        "gosandbox changes list"
    ChangesInUse "changes-in-use"
        "the run that makes these changes has not ended"
        "gosandbox changes list"
    ChangesOfOtherTree "changes-of-other-tree"
        "the work tree is another folder than the run began with"
        "gosandbox changes drop"
    ChangesOfOtherUser "changes-of-other-user"
        "the changes are to be applied as another user"
        "call gosandbox changes as the user who started the run"
    ChangesTooMany "changes-too-many"
        "the run has written more names than gosandbox works on"
        "gosandbox changes drop"
    ChangesUnreadable "changes-unreadable"
        "the record of a run cannot be read"
        "gosandbox changes drop"

    // What the gateway refuses.
    ModuleDenied "module-denied"
        "the profile denies the module"
        "gosandbox policy show"
    ModuleNotAllowed "module-not-allowed"
        "the profile does not name the module among those that it allows"
        "gosandbox policy show"
    ModulePrivate "module-private"
        "the module's name is kept from the checksum database"
        "gosandbox policy show"
    ModuleWithheld "module-withheld"
        "GOPRIVATE or GONOPROXY withholds the module from others, and the profile names no place for it"
        "write under [modules.private] of a profile of your own: \"git.example.com/*\" = { direct = \"https\" }"
    ModuleTooYoung "module-too-young"
        "the version is younger than the profile allows"
        "ask for an older version: go get MODULE@VERSION"
    ChecksumUnconfirmed "checksum-unconfirmed"
        "the checksum database does not know the module, or cannot be asked"
        "gosandbox policy show"
    HostNotAllowed "host-not-allowed"
        "the profile does not name the host, or its address is not allowed"
        "gosandbox --allow-host HOST:PORT -- go test ./..."
    ServiceRefused "service-refused"
        "programs cannot be given a service, or a port cannot be published, under this profile or on this host"
        "gosandbox --profile ci --service 5432 -- go test ./..."
    SocketRefused "socket-refused"
        "a socket of a service of the host's would let the source act outside the sandbox"
        "gosandbox --profile ci --service 5432 -- go test ./..."
    PortUnusable "port-unusable"
        "a port cannot be published, because something on the host listens there"
        "gosandbox --profile dev --publish 8081 -- go run ."
    TokenUnknown "token-unknown"
        "a program asked the gateway without the run's token"
        "gosandbox --allow-host HOST:PORT -- go test ./..."

    // Deployments.
    BaselineUnusable "baseline-unusable"
        "a baseline of findings cannot be read or written"
        "gosandbox audit --write-baseline FILE"
    MendRefused "mend-refused"
        "audit --fix or --undo cannot change a file"
        "gosandbox audit"
    InitRefused "init-refused"
        "there is no Go project here, or nothing can be written for it"
        "go mod init example.com/project"
    ShimRefused "shim-refused"
        "a shim cannot be written or taken away there"
        "gosandbox shim install ~/.local/share/gosandbox/bin"
    FormatUnknown "format-unknown"
        "gosandbox makes no such format"
        "gosandbox help profile"
    FormatCannotHold "format-cannot-hold"
        "the format cannot hold the policy"
        "gosandbox policy show"
    GuardMissing "guard-missing"
        "neither AppArmor nor SELinux is in force here"
        "gosandbox doctor"
    RootNeeded "root-needed"
        "only root can do this"
        "sudo gosandbox profile auto --install"
    GuardFailed "guard-failed"
        "a tool of AppArmor or SELinux failed, or what it works on is not gosandbox's"
        "gosandbox profile auto"

    // Anything else.
    SystemError "system-error"
        "the kernel or a file system refused something that gosandbox needs"
        "gosandbox doctor"
    InternalError "internal-error"
        "gosandbox itself is wrong"
        "report the message, with what `gosandbox --version` and `gosandbox doctor` print"
}

impl Code {
    /// The code with this word.
    pub fn of_word(word: &str) -> Option<Code> {
        Code::ALL.into_iter().find(|code| code.word() == word)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Code, D::Error> {
        let word = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        let unknown = || serde::de::Error::custom(format!("`{word}` is not a code"));
        Code::of_word(&word).ok_or_else(unknown)
    }
}
