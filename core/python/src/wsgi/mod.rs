//! The WSGI gateway (PEP 3333): from a transaction to `environ`, through the application, and back
//! to bytes.

mod afterwards;
mod close;
mod environ;
mod errors;
mod file;
mod finished;
mod gateway;
mod hooks;
mod input;
mod keys;
mod kit;
mod output;
pub(crate) mod overtime;
mod remotes;
mod repeated;
mod request;
mod response;
mod socket;
mod starter;
mod text;
mod wait;

pub(crate) use errors::ErrorStream;
pub(crate) use gateway::{WsgiGateway, let_go};
pub(crate) use input::BodyInput;
pub(crate) use request::Request;
pub(crate) use response::Response;
pub(crate) use socket::ClientSocket;
