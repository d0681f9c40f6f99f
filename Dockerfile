# Two stages: everything is built in the first; the second has dist, production dependencies and nothing to build with.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Without scripts, because the image has its own Node and nothing else needs one.
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
# The only places that are written to: messages, and the certificate of the first start.
RUN mkdir -m 700 data ssl && chown node:node data ssl
USER node
VOLUME ["/app/data", "/app/ssl"]
EXPOSE 5000
# Asks this container about itself, so its certificate need not be good for the address.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["node", "-e", "require('https').get({ host: '127.0.0.1', port: process.env.PORT || 5000, path: '/health', rejectUnauthorized: false }, (res) => process.exit(res.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
# Bounds the memory for short-lived objects; see docs/adr/0012-request-path.md.
CMD ["node", "--max-semi-space-size=8", "dist/main.js"]
