//! A small PostgreSQL wire client: password login, one statement in text form, scripts, cancelling.
//!
//! The Neon endpoint needs the exact values and error fields that the server sends, so this stays close to the
//! protocol (<https://www.postgresql.org/docs/15/protocol.html>) instead of hiding it behind types.

use std::fmt;
use std::io;

use bytes::{Bytes, BytesMut};
use fallible_iterator::FallibleIterator;
use postgres_protocol::IsNull;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{
    AuthenticationSaslBody, DataRowBody, ErrorResponseBody, Message, RowDescriptionBody,
};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Who logs in where.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Login {
    /// Host name or address of the server.
    pub host: String,
    /// TCP port of the server.
    pub port: u16,
    /// Role that logs in.
    pub user: String,
    /// Password of that role.
    pub password: String,
    /// Database to open.
    pub database: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({}@{}:{}/{})", self.user, self.host, self.port, self.database)
    }
}

/// An error that the server reported, with all its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseError {
    /// `ERROR`, `FATAL` or `PANIC`.
    pub severity: String,
    /// The five characters of the SQLSTATE.
    pub code: String,
    /// The primary message.
    pub message: String,
    /// Secondary message with more detail.
    pub detail: Option<String>,
    /// Suggestion what to do.
    pub hint: Option<String>,
    /// Place in the query, in characters from 1.
    pub position: Option<String>,
    /// Place in the internal query, in characters from 1.
    pub internal_position: Option<String>,
    /// Text of the failed internal query.
    pub internal_query: Option<String>,
    /// Call stack of the error.
    pub context: Option<String>,
    /// Schema that the error is about.
    pub schema: Option<String>,
    /// Table that the error is about.
    pub table: Option<String>,
    /// Column that the error is about.
    pub column: Option<String>,
    /// Data type that the error is about.
    pub data_type: Option<String>,
    /// Constraint that the error is about.
    pub constraint: Option<String>,
    /// Source file of the server.
    pub file: Option<String>,
    /// Line in that file.
    pub line: Option<String>,
    /// Routine in that file.
    pub routine: Option<String>,
}

impl DatabaseError {
    fn read(body: &ErrorResponseBody) -> io::Result<Self> {
        let mut error = Self::default();
        let mut fields = body.fields();
        while let Some(field) = fields.next()? {
            let text = String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'S' => error.severity = text,
                b'C' => error.code = text,
                b'M' => error.message = text,
                b'D' => error.detail = Some(text),
                b'H' => error.hint = Some(text),
                b'P' => error.position = Some(text),
                b'p' => error.internal_position = Some(text),
                b'q' => error.internal_query = Some(text),
                b'W' => error.context = Some(text),
                b's' => error.schema = Some(text),
                b't' => error.table = Some(text),
                b'c' => error.column = Some(text),
                b'd' => error.data_type = Some(text),
                b'n' => error.constraint = Some(text),
                b'F' => error.file = Some(text),
                b'L' => error.line = Some(text),
                b'R' => error.routine = Some(text),
                _ => {}
            }
        }
        Ok(error)
    }
}

/// What can go wrong between this client and the server.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// No TCP connection could be made.
    #[error("the PostgreSQL server cannot be reached: {0}")]
    Unreachable(#[source] io::Error),
    /// The connection broke before the login was complete.
    #[error("the PostgreSQL server broke off during the login: {0}")]
    Login(#[source] io::Error),
    /// The connection was lost while a statement was under way.
    #[error("the connection to the PostgreSQL server was lost")]
    Closed,
    /// The server reported an error.
    #[error("PostgreSQL answered SQLSTATE {}: {}", .0.code, .0.message)]
    Database(Box<DatabaseError>),
    /// The statement cannot be written as a protocol message.
    #[error("the statement cannot be sent: {0}")]
    Encode(#[source] io::Error),
    /// The server began a COPY, which this client does not speak.
    #[error("the statement starts a COPY, which cannot be used here")]
    Copy,
    /// The rows are larger than the limit that was given, in bytes.
    #[error("the result is larger than {0} bytes")]
    TooLarge(usize),
    /// The server asked for something or said something unexpected.
    #[error("the PostgreSQL server sent something unexpected: {0}")]
    Unexpected(&'static str),
}

/// One column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Object id of its table, or 0.
    pub table_oid: u32,
    /// Its number in that table, or 0.
    pub column_id: i16,
    /// Object id of its type.
    pub type_oid: u32,
    /// Size of its type in bytes, negative when variable.
    pub type_size: i16,
    /// Type modifier, -1 for none.
    pub type_modifier: i32,
}

/// One row: each value in PostgreSQL's text form, `None` for NULL.
pub type Row = Vec<Option<String>>;

/// The result of one statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The columns, empty for statements without rows.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<Row>,
    /// The command tag, for instance `INSERT 0 1`; empty for an empty statement.
    pub tag: String,
}

/// What is needed to cancel the running statement of a connection.
#[derive(Clone)]
pub struct CancelKey {
    host: String,
    port: u16,
    process_id: i32,
    secret: i32,
}

impl CancelKey {
    /// Asks the server to stop the running statement; a failure is of no consequence.
    pub async fn cancel(self) {
        let Ok(mut stream) = TcpStream::connect((self.host.as_str(), self.port)).await else {
            return;
        };
        let mut out = BytesMut::new();
        frontend::cancel_request(self.process_id, self.secret, &mut out);
        if stream.write_all(&out).await.is_ok() {
            // The server closes the connection once it has passed the request on.
            let _ = stream.read(&mut [0_u8; 1]).await;
        }
    }
}

/// One logged-in connection.
pub struct Connection {
    stream: TcpStream,
    input: BytesMut,
    key: CancelKey,
}

impl Connection {
    /// Opens a connection and logs in, with SCRAM-SHA-256 where the server asks for it.
    pub async fn open(login: &Login) -> Result<Self, WireError> {
        let stream = TcpStream::connect((login.host.as_str(), login.port))
            .await
            .map_err(WireError::Unreachable)?;
        stream.set_nodelay(true).map_err(WireError::Unreachable)?;
        let key = CancelKey {
            host: login.host.clone(),
            port: login.port,
            process_id: 0,
            secret: 0,
        };
        let mut connection = Self {
            stream,
            input: BytesMut::with_capacity(8192),
            key,
        };
        let mut out = BytesMut::new();
        let parameters = [
            ("user", login.user.as_str()),
            ("database", login.database.as_str()),
            ("client_encoding", "UTF8"),
        ];
        frontend::startup_message(parameters, &mut out).map_err(WireError::Encode)?;
        connection.send(&out).await.map_err(WireError::Login)?;
        connection.authenticate(login).await?;
        loop {
            match connection.receive().await.map_err(WireError::Login)? {
                Message::BackendKeyData(body) => {
                    connection.key.process_id = body.process_id();
                    connection.key.secret = body.secret_key();
                }
                Message::ReadyForQuery(_) => return Ok(connection),
                Message::ErrorResponse(body) => return Err(database_error(&body)),
                _ => {}
            }
        }
    }

    async fn authenticate(&mut self, login: &Login) -> Result<(), WireError> {
        let mut out = BytesMut::new();
        loop {
            match self.receive().await.map_err(WireError::Login)? {
                Message::AuthenticationOk => return Ok(()),
                Message::AuthenticationCleartextPassword => {
                    out.clear();
                    frontend::password_message(login.password.as_bytes(), &mut out).map_err(WireError::Encode)?;
                    self.send(&out).await.map_err(WireError::Login)?;
                }
                Message::AuthenticationSasl(body) => self.scram(&body, &login.password).await?,
                Message::ErrorResponse(body) => return Err(database_error(&body)),
                Message::NoticeResponse(_) => {}
                _ => return Err(WireError::Unexpected("a way of logging in that is not known here")),
            }
        }
    }

    async fn scram(&mut self, body: &AuthenticationSaslBody, password: &str) -> Result<(), WireError> {
        let offered = body
            .mechanisms()
            .any(|name| Ok(name == SCRAM_SHA_256))
            .map_err(WireError::Login)?;
        if !offered {
            return Err(WireError::Unexpected("a login without SCRAM-SHA-256"));
        }
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        let mut out = BytesMut::new();
        frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut out).map_err(WireError::Encode)?;
        self.send(&out).await.map_err(WireError::Login)?;
        match self.receive().await.map_err(WireError::Login)? {
            Message::AuthenticationSaslContinue(next) => scram.update(next.data()).map_err(WireError::Login)?,
            Message::ErrorResponse(body) => return Err(database_error(&body)),
            _ => return Err(WireError::Unexpected("a broken SCRAM exchange")),
        }
        out.clear();
        frontend::sasl_response(scram.message(), &mut out).map_err(WireError::Encode)?;
        self.send(&out).await.map_err(WireError::Login)?;
        match self.receive().await.map_err(WireError::Login)? {
            Message::AuthenticationSaslFinal(last) => scram.finish(last.data()).map_err(WireError::Login),
            Message::ErrorResponse(body) => Err(database_error(&body)),
            _ => Err(WireError::Unexpected("a broken SCRAM exchange")),
        }
    }

    /// What is needed to cancel a statement of this connection.
    pub fn cancel_key(&self) -> CancelKey {
        self.key.clone()
    }

    /// Process id of the server process behind this connection.
    pub fn process_id(&self) -> i32 {
        self.key.process_id
    }

    /// Whether the server has closed this connection or sent something nobody asked for while it was idle.
    pub fn is_stale(&self) -> bool {
        let mut byte = [0_u8; 1];
        !self.input.is_empty()
            || !matches!(self.stream.try_read(&mut byte), Err(e) if e.kind() == io::ErrorKind::WouldBlock)
    }

    /// Runs one statement with the extended protocol: unnamed, no parameter types, everything as text.
    ///
    /// `limit_bytes` bounds the size of the rows.
    pub async fn execute(
        &mut self,
        query: &str,
        parameters: &[Option<String>],
        limit_bytes: usize,
    ) -> Result<Rows, WireError> {
        let mut out = BytesMut::new();
        frontend::parse("", query, [], &mut out).map_err(WireError::Encode)?;
        frontend::describe(b'S', "", &mut out).map_err(WireError::Encode)?;
        frontend::sync(&mut out);
        let columns = self.exchange(&out, limit_bytes).await?.columns;
        out.clear();
        let bound = frontend::bind(
            "",
            "",
            [],
            parameters,
            |value, buffer| {
                Ok(match value {
                    Some(text) => {
                        buffer.extend_from_slice(text.as_bytes());
                        IsNull::No
                    }
                    None => IsNull::Yes,
                })
            },
            [0_i16],
            &mut out,
        );
        bound.map_err(|_| WireError::Encode(io::Error::other("value too large to transmit")))?;
        frontend::execute("", 0, &mut out).map_err(WireError::Encode)?;
        frontend::sync(&mut out);
        let result = self.exchange(&out, limit_bytes).await?;
        Ok(Rows { columns, ..result })
    }

    /// Runs a script of any number of statements with the simple protocol; returns all their rows.
    pub async fn script(&mut self, sql: &str) -> Result<Rows, WireError> {
        let mut out = BytesMut::new();
        frontend::query(sql, &mut out).map_err(WireError::Encode)?;
        self.exchange(&out, usize::MAX).await
    }

    /// Sends messages and reads answers until the server is ready again.
    async fn exchange(&mut self, out: &[u8], limit_bytes: usize) -> Result<Rows, WireError> {
        let sent = self.send(out).await;
        let mut result = Rows::default();
        let mut failure = None;
        let mut size = 0_usize;
        loop {
            let Ok(message) = self.receive().await else {
                return Err(failure.unwrap_or(WireError::Closed));
            };
            match message {
                Message::ReadyForQuery(_) => break,
                Message::RowDescription(body) => result.columns = columns(&body).map_err(|_| WireError::Closed)?,
                Message::DataRow(body) => {
                    size += body.buffer().len();
                    if size > limit_bytes {
                        return Err(WireError::TooLarge(limit_bytes));
                    }
                    result.rows.push(row(&body).map_err(|_| WireError::Closed)?);
                }
                Message::CommandComplete(body) => result.tag = body.tag().unwrap_or_default().to_owned(),
                Message::ErrorResponse(body) => {
                    failure.get_or_insert_with(|| database_error(&body));
                }
                Message::CopyInResponse(_) | Message::CopyOutResponse(_) => return Err(WireError::Copy),
                _ => {}
            }
        }
        // An error in writing shows in reading as well, with what the server had to say before.
        sent.map_err(|_| WireError::Closed)?;
        failure.map_or(Ok(result), Err)
    }

    async fn send(&mut self, out: &[u8]) -> io::Result<()> {
        self.stream.write_all(out).await
    }

    async fn receive(&mut self) -> io::Result<Message> {
        loop {
            if let Some(message) = Message::parse(&mut self.input)? {
                return Ok(message);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "early eof"));
            }
        }
    }
}

fn database_error(body: &ErrorResponseBody) -> WireError {
    match DatabaseError::read(body) {
        Ok(error) => WireError::Database(Box::new(error)),
        Err(_) => WireError::Unexpected("an error message that cannot be read"),
    }
}

fn columns(body: &RowDescriptionBody) -> io::Result<Vec<Column>> {
    body.fields()
        .map(|field| {
            Ok(Column {
                name: field.name().to_owned(),
                table_oid: field.table_oid(),
                column_id: field.column_id(),
                type_oid: field.type_oid(),
                type_size: field.type_size(),
                type_modifier: field.type_modifier(),
            })
        })
        .collect()
}

fn row(body: &DataRowBody) -> io::Result<Row> {
    let buffer: &Bytes = body.buffer_bytes();
    body.ranges()
        .map(|range| Ok(range.map(|r| String::from_utf8_lossy(&buffer[r]).into_owned())))
        .collect()
}
