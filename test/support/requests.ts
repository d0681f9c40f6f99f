import { shaOf } from '../../src/messages/message.ts';
import type { Answer, Client } from './client.ts';

export const post = (client: Client, text: string): Promise<Answer> =>
  client.post('/messages', JSON.stringify({ message: text }));

export const get = (client: Client, text: string): Promise<Answer> => client.get(`/messages/${shaOf(text)}`);

export const addMessage = (client: Client, text: string): Promise<Answer> =>
  client.graphql('mutation ($text: String!) { addMessage(text: $text) { sha } }', { text });

export const messageBySha = (client: Client, text: string): Promise<Answer> =>
  client.graphql('query ($sha: Sha256!) { messageBySha(sha: $sha) { text } }', { sha: shaOf(text) });
