import { Anchor, NavLink, type AnchorProps, type NavLinkProps } from '@mantine/core';
import { createLink } from '@tanstack/react-router';
import type { AnchorHTMLAttributes, ReactElement } from 'react';

type Attributes<Props> = Omit<AnchorHTMLAttributes<HTMLAnchorElement>, keyof Props>;

/** A link to a page in a text. */
export const LinkAnchor = createLink((props: AnchorProps & Attributes<AnchorProps>): ReactElement => (
  <Anchor {...props} />
));

/** A link to a page in the navigation. */
export const LinkNav = createLink((props: NavLinkProps & Attributes<NavLinkProps>): ReactElement => (
  <NavLink component="a" {...props} />
));
