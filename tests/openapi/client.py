"""Uses the client that was generated from the description, as somebody would who has nothing else."""

import sys
from uuid import UUID

from psn_client import AuthenticatedClient
from psn_client.api.posts import create_posts, get_posts, list_posts, posts_cancel
from psn_client.models import NewPost, Post, PostList, Problem

base, token = sys.argv[1:]
client = AuthenticatedClient(base_url=base, token=token)

body = NewPost.from_dict({"platform": "x", "content": "Said through a generated client", "scheduled_at": "in 2 hours"})
made = create_posts.sync_detailed(client=client, body=body)
assert made.status_code == 201, made.content
post = made.parsed.posts[0]
assert post.status.value == "scheduled", post

shown = get_posts.sync(client=client, id=UUID(str(post.id)))
assert isinstance(shown, Post) and shown.parts[0].text == "Said through a generated client", shown

listed = list_posts.sync(client=client, status="scheduled")
assert isinstance(listed, PostList) and any(item.id == post.id for item in listed.items), listed

cancelled = posts_cancel.sync(client=client, id=UUID(str(post.id)))
assert isinstance(cancelled, Post) and cancelled.status.value == "draft", cancelled

again = get_posts.sync(client=client, id=UUID(int=0))
assert isinstance(again, Problem) and again.status == 404, again

stranger = list_posts.sync(client=AuthenticatedClient(base_url=base, token="wrong"))
assert isinstance(stranger, Problem) and stranger.status == 401, stranger
print("one post made, read, listed and cancelled")
