//! `--check`: goes every step that a run would go before its first message, and prints a table of them on standard output, each
//! with ✅ or ❌ and its reason. Somebody on a locked-down server finds in one go what is wrong.
//!
//! Every configured server is tried, then every broker that leads a partition of the topic, for these are what a run needs. What
//! depends on a step that failed is not tried; what does not is. Invariant: nothing is produced, created or registered (a broker may
//! give out a producer id, which costs nothing), and no step takes longer than [`STEP_TIMEOUT`] an address.
//!
//! Where `METRICS_LISTEN` is set, it is listened on for a moment. The steps are those of a run, done by the same code: links' streams, the client's session, the registry's client.

mod broker;
mod cluster;
mod registry;
mod table;

use std::io::{self, Write};
use std::time::Duration;

use crate::error::{Error, Exit};
use crate::monitor;
use crate::settings::Settings;
use table::{Step, Table};

/// How long one step may take.
pub const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// Tries everything and prints what came of it.
pub fn run(settings: &Settings) -> Exit {
    let mut table = Table::new(io::stdout().lock());
    check(settings, &mut table);
    if table.all_hold() {
        Exit::Delivered
    } else {
        Exit::Incomplete
    }
}

fn check(settings: &Settings, table: &mut Table<impl Write>) {
    table.holds(Step::Settings, "are complete and agree with each other");
    metrics(settings, table);
    let token = registry::token(settings, table);
    cluster::check(&settings.kafka, token.as_ref(), table);
    registry::check(settings, token.as_ref(), table);
}

fn metrics(settings: &Settings, table: &mut Table<impl Write>) {
    let Some(address) = &settings.common.metrics_listen else {
        return;
    };
    let listening = monitor::try_out(address).map_err(|error| {
        let address = address.clone();
        Error::Listen { address, error }.to_string()
    });
    table.tried(Step::Metrics, listening, |_| {
        format!("{address} can be listened on")
    });
}
