//! `proxylint` says, for every route of an nginx or Apache httpd configuration, whether a WebSocket survives this hop.

pub mod apache;
pub mod facts;
pub mod gateway;
pub mod handshake;
pub mod nginx;
pub mod project;
pub mod rules;
pub mod source;
pub mod tree;
