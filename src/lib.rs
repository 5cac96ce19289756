//! To be written: the map.

pub mod error;
pub mod kafka;
pub mod pipeline;
pub mod registry;
pub mod report;
pub mod settings;
pub mod shoe;
