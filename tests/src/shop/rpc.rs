//! The shop's gRPC service, `shop.Shop` of `shadow-core/tests/descriptors/shop.proto`, by tonic without its code
//! generator, which needs protoc: a few messages and three methods.

use std::{
    future::{Ready, ready},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::uri::PathAndQuery;
use hyper::{
    Request, Response, Uri,
    body::Incoming,
    client::conn::http2::{SendRequest, handshake},
    header,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio_stream::Iter;
use tonic::{
    Code, Status,
    body::Body,
    client::{Grpc as Client, GrpcService},
    server::{Grpc as Server, ServerStreamingService, UnaryService},
};
use tonic_prost::ProstCodec;

use super::{Edition, natural};

/// Reads a cart.
pub const GET: &str = "/shop.Shop/Get";
/// Lists items, in a stream.
pub const LIST: &str = "/shop.Shop/List";
/// A write.
pub const PUT: &str = "/shop.Shop/Put";

/// The output of protoc for the service's definition: names for the report, and which methods only read.
pub const DESCRIPTORS: &[u8] = include_bytes!("../../../shadow-core/tests/descriptors/shop.pb");

/// `shop.Item`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Item {
    /// Identifier.
    #[prost(string, tag = "1")]
    pub sku: String,
    /// In cents.
    #[prost(int64, tag = "2")]
    pub unit_price: i64,
    /// A set.
    #[prost(string, repeated, tag = "3")]
    pub tags: Vec<String>,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Time {
    /// Since 1970.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// The rest.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// `shop.Cart`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Cart {
    /// Another one in each answer.
    #[prost(string, tag = "1")]
    pub cart_id: String,
    /// Tea and pots.
    #[prost(message, repeated, tag = "2")]
    pub items: Vec<Item>,
    /// 2 is PAID.
    #[prost(int32, tag = "5")]
    pub state: i32,
    /// Now.
    #[prost(message, optional, tag = "6")]
    pub created: Option<Time>,
    /// Changes of the stock.
    #[prost(sint32, repeated, tag = "11")]
    pub deltas: Vec<i32>,
    /// In kilograms.
    #[prost(double, tag = "12")]
    pub weight: f64,
}

/// `shop.Key`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Key {
    /// Number of a cart or a list.
    #[prost(int32, tag = "1")]
    pub number: i32,
}

/// Carts from this number on are long, and every answer is the same.
pub const ARCHIVED: i32 = 1_000_000;

/// A cart. The rewrite adds a tax to pots that production does not know.
fn cart(number: i32, edition: Edition) -> Cart {
    let is_archived = number >= ARCHIVED;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = if is_archived { Duration::ZERO } else { now };
    let item = |sku: &str, unit_price| Item {
        sku: sku.to_owned(),
        unit_price,
        tags: vec!["new".to_owned(), format!("series-{}", number % 7)],
    };
    let taxed = i64::from(edition == Edition::Rewrite);
    let mut items = vec![
        item("tea", i64::from(300 + number % 90)),
        item("pot", 2_500 + taxed),
    ];
    if is_archived {
        items.extend((0..32).map(|place| item(&format!("sku-{place}"), place)));
    }
    Cart {
        cart_id: if is_archived {
            format!("archived-{number}")
        } else {
            natural::uuid()
        },
        items,
        state: 2,
        created: Some(Time {
            seconds: now.as_secs().cast_signed(),
            nanos: now.subsec_nanos().cast_signed(),
        }),
        deltas: vec![-1, 0, number % 5],
        weight: f64::from(number % 50) / 4.0,
    }
}

/// A list; every third one does not exist, which the rewrite does not say.
fn list(number: i32, edition: Edition) -> Result<Vec<Item>, Status> {
    if number % 3 == 0 {
        return match edition {
            Edition::Production => Err(Status::not_found(format!("no list {number}"))),
            Edition::Rewrite => Ok(Vec::new()),
        };
    }
    let item = |place| Item {
        sku: format!("sku-{number}-{place}"),
        unit_price: i64::from(place * 100 + number % 100),
        tags: Vec::new(),
    };
    Ok((1..=3).map(item).collect())
}

#[derive(Debug)]
struct Get(Edition);

impl UnaryService<Key> for Get {
    type Response = Cart;
    type Future = Ready<Result<tonic::Response<Cart>, Status>>;

    fn call(&mut self, request: tonic::Request<Key>) -> Self::Future {
        ready(Ok(tonic::Response::new(cart(request.get_ref().number, self.0))))
    }
}

#[derive(Debug)]
struct List(Edition);

impl ServerStreamingService<Key> for List {
    type Response = Item;
    type ResponseStream = Iter<std::vec::IntoIter<Result<Item, Status>>>;
    type Future = Ready<Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: tonic::Request<Key>) -> Self::Future {
        let items = list(request.get_ref().number, self.0);
        let stream = |items: Vec<Item>| tokio_stream::iter(items.into_iter().map(Ok).collect::<Vec<_>>());
        ready(items.map(|items| tonic::Response::new(stream(items))))
    }
}

#[derive(Debug)]
struct Put;

impl UnaryService<Cart> for Put {
    type Response = Key;
    type Future = Ready<Result<tonic::Response<Key>, Status>>;

    fn call(&mut self, request: tonic::Request<Cart>) -> Self::Future {
        let number = i32::try_from(request.get_ref().items.len()).unwrap_or(i32::MAX);
        ready(Ok(tonic::Response::new(Key { number })))
    }
}

/// Whether this is a call of gRPC.
pub fn is_call(request: &Request<Incoming>) -> bool {
    request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// Answers a call.
pub async fn answer(request: Request<Incoming>, edition: Edition) -> Response<Body> {
    match request.uri().path() {
        GET => {
            Server::new(ProstCodec::default())
                .unary(Get(edition), request)
                .await
        }
        LIST => {
            Server::new(ProstCodec::default())
                .server_streaming(List(edition), request)
                .await
        }
        PUT => Server::new(ProstCodec::default()).unary(Put, request).await,
        _ => Status::unimplemented("no such method").into_http(),
    }
}

/// A connection for calls.
#[derive(Debug)]
pub struct Calls(Client<Channel>);

/// hyper's connection as a channel of tonic.
#[derive(Debug)]
struct Channel(SendRequest<Body>);

impl GrpcService<Body> for Channel {
    type ResponseBody = Incoming;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

impl Calls {
    /// Connects.
    pub async fn open(server: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(server).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        let origin = Uri::builder()
            .scheme("http")
            .authority("shop.example")
            .path_and_query("/");
        let client = Client::with_origin(Channel(sender), origin.build().ok()?);
        Some(Self(client))
    }

    /// Calls a method; `None` unless the answer is one that the shop gives.
    pub async fn call(&mut self, method: &str, number: u64) -> Option<()> {
        let number = i32::try_from(number).ok()?;
        match method {
            GET => self.get(number).await.ok().map(|_cart| ()),
            PUT => self.put(number).await.ok().map(|_key| ()),
            _ => match self.list(number).await {
                Err(status) if status.code() != Code::NotFound => None,
                _ => Some(()),
            },
        }
    }

    /// A cart.
    pub async fn get(&mut self, number: i32) -> Result<Cart, Status> {
        self.unary(Key { number }, GET).await
    }

    /// The items of a list.
    pub async fn list(&mut self, number: i32) -> Result<Vec<Item>, Status> {
        self.ready().await?;
        let request = tonic::Request::new(Key { number });
        let codec = ProstCodec::<Key, Item>::default();
        let answer = self
            .0
            .server_streaming(request, PathAndQuery::from_static(LIST), codec);
        let mut stream = answer.await?.into_inner();
        let mut items = Vec::new();
        while let Some(item) = stream.message().await? {
            items.push(item);
        }
        Ok(items)
    }

    /// Writes a cart.
    pub async fn put(&mut self, number: i32) -> Result<Key, Status> {
        self.unary(cart(number, Edition::Production), PUT).await
    }

    async fn unary<Q, A>(&mut self, message: Q, method: &'static str) -> Result<A, Status>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        self.ready().await?;
        let codec = ProstCodec::<Q, A>::default();
        let path = PathAndQuery::from_static(method);
        let answer = self.0.unary(tonic::Request::new(message), path, codec).await?;
        Ok(answer.into_inner())
    }

    async fn ready(&mut self) -> Result<(), Status> {
        let ready = self.0.ready().await;
        ready.map_err(|error| Status::unavailable(error.to_string()))
    }
}
