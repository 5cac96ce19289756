//! What there is to say of one setting: a row of the table in [`super::table`].
//!
//! Invariant: everything that flags, environment, `.env`, help, errors and README need to know of a setting is in its row;
//! a row holds text and bounds only, and does nothing.

use super::value::Kind;

/// Which setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(
    missing_docs,
    reason = "named like the variables, which the table explains"
)]
pub enum Id {
    Interval,
    Count,
    RunDuration,
    Seed,
    InstanceId,
    LogLevel,
    LogFormat,
    StatsInterval,
    ShutdownTimeout,
    MetricsListen,
    LedgerFile,
    BootstrapServers,
    Topic,
    ApiKey,
    ApiSecret,
    SecurityProtocol,
    SaslMechanism,
    OauthTokenEndpointUrl,
    OauthScope,
    OauthExtensions,
    SslCa,
    SslCertificate,
    SslKey,
    Acks,
    Idempotence,
    Compression,
    Linger,
    BatchSize,
    MaxInFlight,
    BufferMemory,
    DeliveryTimeout,
    RequestTimeout,
    ClientId,
    MessageKey,
    CreateTopic,
    RegistryUrl,
    RegistryApiKey,
    RegistryApiSecret,
    RegistryBearer,
    RegistryBearerCluster,
    RegistrySslCa,
    AutoRegister,
    Subject,
}

/// Where a setting stands in `--help` and `.env.example`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// What is generated and how fast.
    Messages,
    /// What the user is told, and how it ends.
    Running,
    /// Which cluster.
    Cluster,
    /// How to deliver.
    Delivery,
    /// Which Schema Registry.
    Registry,
}

impl Group {
    /// In the order of the table.
    pub const ALL: [Group; 5] = [
        Group::Messages,
        Group::Running,
        Group::Cluster,
        Group::Delivery,
        Group::Registry,
    ];

    /// A headline.
    pub fn title(self) -> &'static str {
        match self {
            Group::Messages => "Messages",
            Group::Running => "Running",
            Group::Cluster => "Kafka cluster",
            Group::Delivery => "Delivery",
            Group::Registry => "Schema Registry",
        }
    }
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Which.
    pub id: Id,
    /// Where it is listed.
    pub group: Group,
    /// The environment variable.
    pub variable: &'static str,
    /// What its text may be, with its bounds.
    pub kind: Kind,
    /// The flag, without dashes, and what stands for its value in `--help`.
    pub flag: Option<(&'static str, &'static str)>,
    /// The text that holds where none is given.
    pub default: Option<&'static str>,
    /// What is said in place of a default where there is none.
    pub without: &'static str,
    /// A text for `.env.example` where there is no default.
    pub example: &'static str,
    /// A few words for `--help`.
    pub help: &'static str,
    /// The same in full, for the README; Markdown.
    pub meaning: &'static str,
    /// Whether `VARIABLE_FILE` may name a file that holds the value.
    pub file_twin: bool,
}

/// What stands in place of a default where a value must be given.
pub const REQUIRED: &str = "required";

impl Setting {
    /// Whether a run is impossible without it.
    pub fn is_required(&self) -> bool {
        self.without == REQUIRED
    }

    /// The variable that names a file with the value, where there may be one.
    pub fn file_variable(&self) -> Option<String> {
        self.file_twin.then(|| format!("{}_FILE", self.variable))
    }

    /// `--flag`, or the variable where there is no flag.
    pub fn usual_name(&self) -> String {
        self.flag
            .map_or_else(|| self.variable.to_owned(), |(flag, _)| format!("--{flag}"))
    }

    pub(super) const fn new(id: Id, group: Group, variable: &'static str, kind: Kind) -> Self {
        Self {
            id,
            group,
            variable,
            kind,
            flag: None,
            default: None,
            without: "none",
            example: "",
            help: "",
            meaning: "",
            file_twin: false,
        }
    }

    pub(super) const fn flag(mut self, name: &'static str, placeholder: &'static str) -> Self {
        self.flag = Some((name, placeholder));
        self
    }

    pub(super) const fn default(mut self, text: &'static str) -> Self {
        self.default = Some(text);
        self
    }

    pub(super) const fn without(mut self, text: &'static str, example: &'static str) -> Self {
        self.without = text;
        self.example = example;
        self
    }

    pub(super) const fn means(mut self, help: &'static str, meaning: &'static str) -> Self {
        self.help = help;
        self.meaning = meaning;
        self
    }

    pub(super) const fn or_file(mut self) -> Self {
        self.file_twin = true;
        self
    }
}
