# A server at a TCP port, with keys: `docker build -t mecgym .`; docs/security.md says how to run it.

FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json index.ts ./
COPY scripts/mecgym.mjs scripts/build.mjs scripts/entries.mjs scripts/
COPY schemas schemas
COPY env env
COPY benchmarks benchmarks
COPY bridge bridge
RUN node scripts/mecgym.mjs --version

FROM node:22-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev

FROM node:22-slim
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist
USER node
EXPOSE 5555
ENTRYPOINT ["node", "dist/cli.mjs"]
CMD ["serve", "--address", "tcp://*:5555", "--keys", "/keys", "--allow", "/keys/clients", "--log-level", "info"]
