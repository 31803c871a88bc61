//! The table of codes.

use serde::{Serialize, Serializer};

use super::Severity;

/// Each code: its word, how bad such a finding is unless it says otherwise, what it is, why it matters, and what helps.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $word:literal $severity:ident, $what:literal, $why:literal, $remedy:literal;)*) => {
        /// What was found. docs/findings.md has a section for each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingCode {
            $(#[doc = $what] $name,)*
        }

        impl FindingCode {
            /// Every code, in the order of docs/findings.md.
            pub const ALL: &[FindingCode] = &[$(FindingCode::$name),*];

            /// The stable word.
            pub fn word(self) -> &'static str {
                match self { $(FindingCode::$name => $word),* }
            }

            /// How bad such a finding is, where it does not say otherwise.
            pub fn severity(self) -> Severity {
                match self { $(FindingCode::$name => Severity::$severity),* }
            }

            /// What it is, in a sentence.
            pub fn what(self) -> &'static str {
                match self { $(FindingCode::$name => $what),* }
            }

            /// Why it matters.
            pub fn why(self) -> &'static str {
                match self { $(FindingCode::$name => $why),* }
            }

            /// What the user can do.
            pub fn remedy(self) -> &'static str {
                match self { $(FindingCode::$name => $remedy),* }
            }
        }
    };
}

codes! {
    GuaranteeMissing "guarantee-missing" High,
        "No layer of this host holds a guarantee.",
        "A run under strict is refused.",
        "gosandbox doctor";
    MechanismMissing "mechanism-missing" Low,
        "This host does not have a mechanism.",
        "Other layers may hold the same guarantees.",
        "gosandbox doctor";
    NotConfined "not-confined" Low,
        "Something is not confined on this host, although every guarantee is held.",
        "Code inside can do it.",
        "gosandbox doctor";
    ProxySet "proxy-set" Medium,
        "A proxy is set where programs start.",
        "Programs outside gosandbox, go generate among them, send what they fetch through it; one that was left behind can read and change it.",
        "Remove the line if nobody needs the proxy any more.";
    TlsUnverified "tls-unverified" High,
        "A program takes any certificate, or asks without TLS.",
        "Anybody on the way can answer in the place of the server.",
        "Remove the setting, and name the authority that signs for the server instead.";
    CredentialsInSetting "credentials-in-setting" Medium,
        "A setting holds a password or a token.",
        "Every program that is started reads it.",
        "Move it to ~/.netrc, which gosandbox reads outside the cage.";
    LoadedEverywhere "loaded-everywhere" High,
        "A library or a script is loaded into every program.",
        "Whoever can change that file runs code in each program of yours.",
        "Remove the line unless you know what it is for.";
    GoProxyInsecure "go-proxy-insecure" High,
        "GOPROXY names a proxy without TLS.",
        "Anybody on the way can serve other versions and other lists.",
        "Give its https address, or: go env -u GOPROXY";
    GoProxyUnknown "go-proxy-unknown" Medium,
        "GOPROXY names a proxy that is not well known.",
        "It learns what is built, and answers for modules that the checksum database does not know.",
        "If it is your organisation's, keep it, and name it in a profile: [modules] upstreams. Else: go env -u GOPROXY";
    GoProxyFallback "go-proxy-fallback" Low,
        "GOPROXY goes on to the next proxy after any error.",
        "Whoever can make a proxy fail decides who is asked.",
        "Write a comma in the place of the bar: then the next is asked where there is nothing.";
    GoChecksumsOff "go-checksums-off" High,
        "The checksum database is switched off.",
        "Nobody vouches for modules that are not in go.sum yet.",
        "go env -u GOSUMDB; for private modules: GOPRIVATE";
    GoChecksumsForeign "go-checksums-foreign" Medium,
        "Another checksum database is asked.",
        "It vouches for whatever it likes.",
        "go env -u GOSUMDB, unless your organisation runs it.";
    GoPatternWide "go-pattern-wide" High,
        "A pattern takes public modules out of verification.",
        "What it matches is not compared with the checksum database, or is fetched from its own host.",
        "Name your own hosts and organisations alone: GOPRIVATE=git.example.com,github.com/example/*";
    GoInsecure "go-insecure" High,
        "Modules may be fetched without TLS.",
        "Anybody on the way can put other code in their place.",
        "go env -u GOINSECURE, and give the host a certificate: [modules] ca in a profile names its authority.";
    GoVcsWide "go-vcs-wide" Medium,
        "Version control systems are allowed that go leaves out for public modules.",
        "Each of them has run code of hostile repositories before.",
        "go env -u GOVCS, or name your own hosts: GOVCS=git.example.com:all,public:git|hg";
    GoFlagsDangerous "go-flags-dangerous" High,
        "GOFLAGS has a flag that runs a program, swaps files or loosens verification.",
        "It counts for every go command, in every project.",
        "go env -u GOFLAGS, and give the flag on the command line where it is meant.";
    GoToolchainPath "go-toolchain-path" Medium,
        "GOTOOLCHAIN takes a toolchain from PATH.",
        "The first program of that name is run as Go.",
        "go env -u GOTOOLCHAIN";
    GoRunsProgram "go-runs-program" Medium,
        "A variable has the go command start a program.",
        "Whoever can change that program takes part in every build.",
        "Unset it unless you know the program. gosandbox does not pass it on.";
    GitUrlRewritten "git-url-rewritten" Medium,
        "git asks another place than the one in the URL.",
        "Modules and clones come from there.",
        "git config --global --unset-all the setting, unless you made it.";
    GitCredentialHelper "git-credential-helper" Medium,
        "git keeps passwords in a plain file, or runs a program of its own for them.",
        "Any program of yours can read them.",
        "Use a helper of the system's key store, such as libsecret.";
    CredentialsInCheckout "credentials-in-checkout" High,
        "The checkout holds credentials.",
        "Whatever is run in it outside gosandbox can read them. Inside, programs see the file without them.",
        "In GitHub Actions: actions/checkout with persist-credentials: false. Else remove the line.";
    WritableByOthers "writable-by-others" High,
        "Others can write where programs come from.",
        "Any user, or what runs as any user, can replace what you run.",
        "chmod go-w it.";
    WrongOwner "wrong-owner" High,
        "Another user owns where programs come from.",
        "That user can replace what you run.",
        "chown it to root, or to yourself.";
    PathEntryRelative "path-entry-relative" High,
        "PATH has an entry that depends on the current folder.",
        "A repository that you stand in decides which program a name means.",
        "Remove empty and relative entries from PATH.";
    SetIdProgram "set-id-program" High,
        "There is a set-id program where none belongs.",
        "Whoever starts it has the rights of its owner.",
        "chmod a-s it, and find out who made it.";
    GroupLikeRoot "group-like-root" Medium,
        "The account is in a group that is as good as root.",
        "Whatever runs as you outside gosandbox can become root.",
        "Leave the group, and use sudo, or a rootless engine.";
    SudoWithoutPassword "sudo-without-password" Medium,
        "Commands run as root without a password.",
        "Whatever runs as that user outside gosandbox can become root.",
        "Remove NOPASSWD, or name single commands.";
    SocketWithinReach "socket-within-reach" Low,
        "A socket that gives away the machine, or keys, is within reach.",
        "Any program of yours can use it. Inside gosandbox it is out of reach.",
        "Build and test foreign code in gosandbox alone.";
    KernelSetting "kernel-setting" Low,
        "A setting of the kernel's is open that could be closed.",
        "It makes attacks from one program on another, or on the kernel, easier.",
        "Write it into a file of /etc/sysctl.d, as root.";
    GoReleaseVulnerable "go-release-vulnerable" High,
        "The go command of this release has known vulnerabilities.",
        "Source or a module proxy can use them while you build. gosandbox holds against most of them.",
        "Install the newest release of Go.";
    Unreadable "unreadable" Low,
        "Something that decides on builds could not be read.",
        "Nobody knows what it holds.",
        "Look at it yourself.";
}

impl Serialize for FindingCode {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.word())
    }
}
