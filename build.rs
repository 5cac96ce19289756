//! Turns `schema/shoe.proto` into Rust with pb-rs, and works out the message index that the Confluent wire format
//! asks for. Both come from the one schema file, so neither can drift from what is registered.
//! It never writes outside `OUT_DIR`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use pb_rs::ConfigBuilder;
use pb_rs::types::FileDescriptor;

const SCHEMA_FILE: &str = "schema/shoe.proto";
/// The message whose index is wanted.
const MESSAGE: &str = "Shoe";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={SCHEMA_FILE}");
    println!("cargo:rerun-if-changed=build.rs");

    let out_dir = PathBuf::from(std::env::var("OUT_DIR")?);
    generate_messages(&out_dir)?;

    let schema = fs::read_to_string(SCHEMA_FILE)?;
    let index = top_level_messages(&schema)
        .iter()
        .position(|name| name == MESSAGE)
        .ok_or_else(|| format!("{SCHEMA_FILE} has no top-level message {MESSAGE}"))?;
    fs::write(out_dir.join("message_indexes.rs"), format!("&[{index}]\n"))?;
    Ok(())
}

fn generate_messages(out_dir: &Path) -> Result<(), Box<dyn Error>> {
    let generated = out_dir.join("shoe.rs");
    let config = ConfigBuilder::new(
        &[Path::new(SCHEMA_FILE)],
        Some(&generated.as_path()),
        None,
        &[Path::new("schema")],
    )?
    .single_module(true)
    // The inner attributes of a generated header are refused where the file is included.
    .headers(false)
    .build();
    FileDescriptor::run(&config)?;
    Ok(())
}

/// Names of the messages at the top level, in the order of the file, which is the order that indexes count in.
fn top_level_messages(schema: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0_usize;
    let mut after_message = false;
    for token in tokens(schema) {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            name if depth == 0 && after_message => names.push(name.to_owned()),
            _ => {}
        }
        after_message = depth == 0 && token == "message";
    }
    names
}

/// Words and braces of a schema without its comments and string literals.
fn tokens(schema: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut chars = schema.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_alphanumeric() || c == '_' || c == '.' {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            tokens.push(std::mem::take(&mut word));
        }
        match (c, chars.peek()) {
            ('/', Some('/')) => while chars.next().is_some_and(|c| c != '\n') {},
            ('/', Some('*')) => {
                chars.next();
                let mut previous = ' ';
                for c in chars.by_ref() {
                    if previous == '*' && c == '/' {
                        break;
                    }
                    previous = c;
                }
            }
            ('"' | '\'', _) => {
                while let Some(inner) = chars.next() {
                    match inner {
                        '\\' => drop(chars.next()),
                        end if end == c => break,
                        _ => {}
                    }
                }
            }
            ('{' | '}', _) => tokens.push(c.to_string()),
            _ => {}
        }
    }
    tokens
}
