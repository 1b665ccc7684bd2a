//! Who may connect to the agent's listeners, and how: TLS, certificates of clients, lists of addresses, headers of
//! proxies, sockets that systemd has opened; with the built program and other people's clients.

mod activation;
mod peers;
mod rig;
mod tls;
