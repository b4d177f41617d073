"""A bike-rental forecast under guard: real data, two real versions, a real autumn."""
