//! The handle of a running cluster: what a test may do to it and ask it.
//!
//! Every change is complete when its call returns: a killed node appends and answers nothing afterwards, an ordered
//! fault meets the very next request. Dropping the handle ends the cluster and cuts every connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;

use crate::broker::batch::Record;
use crate::broker::faults::{Fault, FaultRule, Gate};
use crate::broker::log::{self, BatchInfo};
use crate::broker::state::{Login, Partition, Refused, State};
use crate::broker::{self, Shared};
use crate::config::Config;
use crate::net::{Acceptor, Port};
use crate::security::ScramLie;
use crate::tls::Handshake;

/// A running cluster.
pub struct Sandbox {
    shared: Arc<Shared>,
    /// In the order of the node ids, which begin at 1.
    nodes: Vec<(SocketAddr, Acceptor)>,
}

impl Sandbox {
    /// Starts a cluster.
    ///
    /// # Errors
    /// A port is taken, or the configuration has no node.
    pub fn start(config: Config) -> io::Result<Self> {
        if config.nodes == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a cluster has at least one node",
            ));
        }
        let mut ports = Vec::new();
        for index in 0..config.nodes {
            let port = match config.port {
                0 => 0,
                first => u16::try_from(usize::from(first) + index).map_err(io::Error::other)?,
            };
            ports.push(Port::reserve(port)?);
        }
        let numbers: Vec<u16> = ports.iter().map(|port| port.address().port()).collect();
        let state = State::new(&numbers, &config);
        let shared = Arc::new(Shared::new(config, state)?);
        let mut nodes = Vec::new();
        for (id, port) in (1..).zip(ports) {
            let (address, shared) = (port.address(), Arc::clone(&shared));
            let serve = move |stream| broker::serve(&shared, id, stream);
            let acceptor = Acceptor::new(format!("sandbox-{id}"), port, serve);
            acceptor.open()?;
            nodes.push((address, acceptor));
        }
        Ok(Self { shared, nodes })
    }

    /// Every node's address, comma-separated, as `KAFKA_BOOTSTRAP_SERVERS` takes it.
    pub fn bootstrap_servers(&self) -> String {
        let addresses: Vec<String> = self
            .nodes
            .iter()
            .map(|(address, _)| address.to_string())
            .collect();
        addresses.join(",")
    }

    /// The address of a node; `None` if there is no such id.
    pub fn address(&self, id: i32) -> Option<SocketAddr> {
        self.entry(id).map(|(address, _)| *address)
    }

    /// Kills a node as SIGKILL would: its connections and its listener are gone, another node leads its partitions.
    pub fn kill_node(&self, id: i32) {
        self.shared.update(|state| {
            state.disturbed = true;
            if let Some(node) = state.node(id) {
                node.alive = false;
                node.generation += 1;
            }
            state.elect();
        });
        if let Some((_, acceptor)) = self.entry(id) {
            acceptor.close();
            acceptor.drop_connections();
        }
    }

    /// Starts a killed node again on its port; it leads what nobody leads.
    ///
    /// # Errors
    /// The port was taken meanwhile, which on Linux cannot be.
    pub fn restart_node(&self, id: i32) -> io::Result<()> {
        self.shared.update(|state| {
            if let Some(node) = state.node(id) {
                node.alive = true;
            }
            state.elect();
        });
        self.entry(id)
            .map_or(Ok(()), |(_, acceptor)| acceptor.open())
    }

    /// Refuses new connections to a node; those it has live on.
    pub fn refuse_connections(&self, id: i32) {
        self.shared.update(|state| state.disturbed = true);
        if let Some((_, acceptor)) = self.entry(id) {
            acceptor.close();
        }
    }

    /// Takes connections again.
    ///
    /// # Errors
    /// The port was taken meanwhile, which on Linux cannot be.
    pub fn accept_connections(&self, id: i32) -> io::Result<()> {
        self.entry(id)
            .map_or(Ok(()), |(_, acceptor)| acceptor.open())
    }

    /// Cuts every connection of every node once.
    pub fn drop_connections(&self) {
        self.shared.update(|state| state.disturbed = true);
        for (_, acceptor) in &self.nodes {
            acceptor.drop_connections();
        }
    }

    /// Gives a partition another leader; -1 leaves it without one.
    pub fn move_leader(&self, topic: &str, partition: i32, node: i32) {
        self.shared.update(|state| {
            state.disturbed = true;
            if let Some(partition) = state.partition(topic, partition) {
                partition.lead(node);
            }
        });
    }

    /// Creates a topic; returns false if it exists.
    pub fn create_topic(&self, topic: &str, partitions: usize) -> bool {
        self.shared
            .update(|state| state.create_topic(topic, partitions))
    }

    /// Deletes a topic and all that it holds; returns how many records it had ever taken.
    pub fn delete_topic(&self, topic: &str) -> u64 {
        self.shared.update(|state| {
            state.disturbed = true;
            let taken = state.record_count(topic);
            state.topics.remove(topic);
            taken
        })
    }

    /// Forgets what every producer wrote, as a broker does when producer ids expire.
    pub fn forget_producers(&self) {
        self.shared.update(|state| {
            state.disturbed = true;
            let partitions = state
                .topics
                .values_mut()
                .flat_map(|topic| &mut topic.partitions);
            partitions.for_each(|partition| partition.producers.forget());
        });
    }

    /// Changes a user's password, or makes the user known. Sessions last until they end or are to be renewed.
    pub fn set_password(&self, user: &str, password: &str) {
        self.shared.update(|state| {
            state.disturbed = true;
            let passwords = &mut state.passwords;
            passwords.insert(user.to_owned(), password.to_owned());
        });
    }

    /// Lies in every SCRAM exchange from now on; `None`: no more.
    pub fn lie_in_scram(&self, lie: Option<ScramLie>) {
        self.shared.update(|state| {
            state.disturbed = true;
            state.scram_lie = lie;
        });
    }

    /// Orders a fault for requests to come.
    pub fn fault(&self, rule: FaultRule) {
        self.shared.update(|state| {
            state.disturbed = true;
            state.faults.add(rule);
        });
    }

    /// The next `times` requests of an API are answered with an error code and not done.
    pub fn fail_next(&self, api: ApiKey, code: i16, times: usize) {
        self.fault(FaultRule::new(api, Fault::Error(code)).times(times));
    }

    /// The next request of an API waits until the gate is opened.
    pub fn hold_next(&self, api: ApiKey) -> Gate {
        let gate = Gate::new();
        self.fault(FaultRule::new(api, Fault::HoldRequest(gate.clone())));
        gate
    }

    /// Forgets every fault that has not happened yet.
    pub fn clear_faults(&self) {
        self.shared.update(|state| state.faults.clear());
    }

    /// Waits until a condition holds; returns whether it did in time.
    pub fn wait_for(&self, condition: impl FnMut(&State) -> bool, timeout: Duration) -> bool {
        self.shared.wait_for(timeout, condition)
    }

    /// Looks at the state as it is now.
    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.shared.lock())
    }

    /// What a topic holds, a partition each; empty for an unknown topic.
    pub fn records(&self, topic: &str) -> Vec<Vec<Record>> {
        let raw: Vec<Vec<Bytes>> = self.partitions(topic, |partition| partition.log.raw());
        raw.iter().map(|batches| log::decode(batches)).collect()
    }

    /// The batches that a topic holds, a partition each.
    pub fn batches(&self, topic: &str) -> Vec<Vec<BatchInfo>> {
        self.partitions(topic, |partition| partition.log.infos())
    }

    /// How many records a topic has ever taken.
    pub fn record_count(&self, topic: &str) -> u64 {
        self.look(|state| state.record_count(topic))
    }

    /// What no correct client ever does, in the order in which it was noticed.
    pub fn violations(&self) -> Vec<String> {
        self.look(|state| state.violations().to_vec())
    }

    /// The batches that were not appended for a reason of the broker's own.
    pub fn refusals(&self) -> Vec<Refused> {
        self.look(|state| state.refusals().to_vec())
    }

    /// How many requests of an API have come.
    pub fn requests(&self, api: ApiKey) -> u64 {
        self.look(|state| state.requests(api))
    }

    /// Every TLS handshake, in the order in which it ended, whether it came about or not.
    pub fn handshakes(&self) -> Vec<Handshake> {
        self.look(|state| state.handshakes().to_vec())
    }

    /// The clients that were let in by SASL, in order, re-authentications included.
    pub fn logins(&self) -> Vec<Login> {
        self.look(|state| state.logins().to_vec())
    }

    fn partitions<T>(&self, topic: &str, each: impl Fn(&Partition) -> T) -> Vec<T> {
        self.look(|state| {
            let partitions = state
                .topics
                .get(topic)
                .map_or(&[][..], |topic| &topic.partitions);
            partitions.iter().map(each).collect()
        })
    }

    fn entry(&self, id: i32) -> Option<&(SocketAddr, Acceptor)> {
        self.nodes.get(usize::try_from(id).ok()?.checked_sub(1)?)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shared.update(|state| {
            for node in &mut state.nodes {
                node.alive = false;
            }
        });
    }
}
